"""Chinese surnames in use: the four hundred most common ones cover more than 97 in 100 persons.

Source: the ministry of public security's yearly counts of names, and the Hundred Family Surnames.
"""

from __future__ import annotations

SINGLE = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜"
    "范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍"
    "韦申尤毕聂丛焦向柳邢路岳齐沿梅莫庄辛管祝左涂谷祁时舒耿牟卜詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单"
    "包司柏宁柯阮桂闵解强柴华车冉房边净阴闫肖付代党操戚岑娄宫全应仇米池佘明楚农丰储骆宿邝褚宗晏木冷苟晋缪盖窦佟巫盘虞竺初蓝麦敖"
    "郁逄战穆濮蒲仲卓占荆鞠练揭敬饶连胥匡燕尚滕印沙花凤鄢原蔺卞喻巩谈樊井居惠艾屠桑鹿苍迟商侍匡鄂郎卿邬宣尧普叱狄奚皮相雍燎粟荣"
    "计臧师国门经战衣訾车仝邸劳母年冀漆衡步都桓寿咸钮刁巴封廉简阚蒙幸茅柬藤訾官智昌扈班贝郜楼乌干祖滑杭植母应危隆伊苑弓洛赫计干"
)
COMPOUND = (
    "欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "司徒", "司空", "夏侯", "令狐", "宇文", "长孙",
    "轩辕", "端木", "独孤", "南宫", "西门", "呼延", "申屠", "淳于", "公羊", "闻人", "赫连", "澹台", "濮阳", "太史", "万俟",
    "完颜", "拓跋", "第五", "百里", "东郭", "左丘", "谷梁", "钟离", "鲜于", "闾丘",
)  # fmt: skip
_PINYIN = (
    "wang li zhang liu chen yang zhao huang zhou wu xu sun hu zhu gao lin he guo ma luo liang song zheng xie han tang feng "
    "yu dong xiao cheng cao yuan deng fu shen zeng peng lu lv lyu su jiang cai jia ding wei xue ye yan pan du dai xia "
    "zhong tian ren fan fang shi yao tan liao zou xiong jin hao kong bai cui kang mao qiu qin gu hou shao meng long wan "
    "duan lei qian yin yi chang qiao lai gong wen pang lan tao zhai ni niu ji zhuge ouyang sima situ shangguan murong "
    "duanmu huangfu gongsun linghu zhangsun ge you bi nie jiao xiang liu xing yue qi mei mo zhuang xin guan zuo tu shu geng "
    "mu bu miao ling fei sheng tong ou zhen qu pei zha bao huo weng sui gan jing shan ning ke ruan gui min xie chai hua che "
    "ran bian qi cen lou gong chu luo kuang ai sang chi"
)
IN_PINYIN = frozenset(_PINYIN.split())
