"""How the page of a disclosure report looks: system fonts with CJK fall-backs, one column on a telephone, ink on paper."""

STYLE = """
:root{--ink:#1b2a33;--soft:#52626c;--line:#d8dfe3;--paper:#fff;--wash:#f4f7f8;--good:#1d6b46;--bad:#a8321b;--mark:#1f5f8b}
*{box-sizing:border-box}
body{margin:0;background:var(--wash);color:var(--ink);line-height:1.6;font-size:16px;overflow-wrap:anywhere;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","PingFang SC","Hiragino Sans GB","Microsoft YaHei",
"Noto Sans CJK SC","Source Han Sans SC","WenQuanYi Micro Hei",sans-serif}
svg text{font-family:inherit}
svg{width:100%;max-width:420px;height:auto;display:block}
.pick{position:absolute;opacity:0}
.tongues{max-width:960px;margin:0 auto;padding:14px 16px 0;text-align:right}
.tongues label{display:inline-block;padding:4px 14px;border:1px solid var(--line);background:var(--paper);cursor:pointer}
#pick-zh:checked~.tongues label[for=pick-zh],#pick-en:checked~.tongues label[for=pick-en]{background:var(--mark);
color:#fff;border-color:var(--mark)}
#pick-zh:focus-visible~.tongues label[for=pick-zh],#pick-en:focus-visible~.tongues label[for=pick-en]{outline:3px solid #e0a030}
#pick-zh:checked~#en,#pick-en:checked~#zh{display:none}
main{max-width:960px;margin:0 auto;padding:0 16px 48px}
h1{font-size:1.7rem;margin:.3em 0 .1em;line-height:1.25}
h2{font-size:1.25rem;margin:0 0 .5em}
h3{font-size:1rem;margin:1.2em 0 .3em}
p{margin:.4em 0 .8em;max-width:46em}
.about{color:var(--soft);margin-bottom:1.2em}
section{background:var(--paper);border:1px solid var(--line);border-radius:6px;padding:20px 22px;margin:0 0 18px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:0 0 8px}
.tile{border:1px solid var(--line);border-left:5px solid var(--line);border-radius:4px;padding:10px 14px}
.tile b{display:block;font-size:1.5rem;line-height:1.3}
.tile span{display:block;color:var(--soft);font-size:.9rem}
.tile .said{font-weight:600}
.good{border-left-color:var(--good)}.good .said{color:var(--good)}
.bad{border-left-color:var(--bad)}.bad .said{color:var(--bad)}
.pair{display:grid;grid-template-columns:minmax(0,400px) minmax(0,1fr);gap:24px;align-items:start}
figure{margin:0}
.keys{font-size:.85rem;margin:.2em 0 0}
.keys span{display:inline-block;margin-right:1.2em}
.keys i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
figcaption{color:var(--soft);font-size:.88rem;margin-top:.3em}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem;margin:.2em 0 .8em;overflow-wrap:normal}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
th{font-weight:600;color:var(--soft)}
td bdi{overflow-wrap:anywhere}
th::first-letter,td b::first-letter,figcaption::first-letter,li b::first-letter{text-transform:uppercase}
ul{padding-left:1.3em}
li{margin:.3em 0;max-width:46em}
td b{font-weight:400;display:inline-block}
td i{font-style:normal;color:var(--soft);display:inline-block}
summary{cursor:pointer;color:var(--mark)}
.small{color:var(--soft);font-size:.88rem}
@media(max-width:720px){.pair{grid-template-columns:minmax(0,1fr)}section{padding:16px 14px}h1{font-size:1.4rem}
th,td{padding-right:6px}table{font-size:.82rem}}
@media print{body{background:#fff}.tongues{display:none}section{break-inside:avoid;border-color:#bbb}}
"""
