"""Each kind of personal data is found as people write it, and what only looks like it isn't. All numbers are made up here."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.carried import Kind
from privacy.scan.detectors import FLOAT, NUMBER, TEXT
from privacy.scan.scan import Hit, scan
from tests.privacy.made_up import (
    COUNTIES,
    address,
    card,
    landline,
    mobile,
    name,
    organisation,
    passport,
    plate,
    resident,
)

MADE: dict[Kind, Callable[[random.Random], str]] = {
    Kind.RESIDENT_ID: resident,
    Kind.USCC: organisation,
    Kind.MOBILE: mobile,
    Kind.LANDLINE: landline,
    Kind.BANK_CARD: card,
    Kind.PLATE: plate,
    Kind.PASSPORT: passport,
    Kind.EMAIL: lambda rng: f"user{rng.randrange(10**6)}@example.org",
    Kind.IP: lambda rng: f"203.0.113.{rng.randrange(256)}",
    Kind.NAME: name,
    Kind.ADDRESS: address,
}
ALONE = ["a", "bb", "red 12", "blue 7", "ccc", "8 boxes", "2026-11-23", "width 3.5 m", "已发货", "待付款"]


def found(values: Sequence[object], kind: pa.DataType | None = None) -> dict[Kind, Hit]:
    return {hit.kind: hit for hit in scan([("c", [pa.array(values, kind)])])}


def made(kind: Kind, count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return [MADE[kind](rng) for _ in range(count)]


def test_every_kind_has_a_detector_and_each_detector_its_rule() -> None:
    assert {detector.kind for detector in TEXT} == set(Kind) == set(MADE)
    assert all(detector.text for detector in TEXT)
    assert all(detector.number for detector in (*NUMBER, *FLOAT))


@pytest.mark.parametrize("kind", list(Kind))
def test_a_column_of_a_kind_is_found_and_nothing_else_in_it(kind: Kind) -> None:
    values = made(kind, 200)
    hits = found(values)
    assert set(hits) == {kind}
    assert hits[kind].column == "c"
    assert hits[kind].values == len(set(values))
    assert hits[kind].share == 1.0


@pytest.mark.parametrize("kind", list(Kind))
def test_a_column_is_found_whatever_its_text_type_and_chunks(kind: Kind) -> None:
    values = pa.array([*made(kind, 60), None, *made(kind, 60)])
    for array in (
        values,
        values.cast(pa.large_string()),
        values.cast(pa.string_view()),
        values.dictionary_encode(),
    ):
        pieces = [array.slice(start, 40) for start in range(0, len(array), 40)]
        (hit,) = scan([("c", pieces)])
        assert (hit.kind, hit.values) == (kind, len(set(made(kind, 60))))


def test_what_no_row_of_a_dictionary_holds_isnt_found() -> None:
    words = pa.array(["a", *made(Kind.EMAIL, 5)])
    assert scan([("c", [pa.DictionaryArray.from_arrays(pa.array([0, 0, None], pa.int32()), words)])]) == ()


def test_other_types_are_passed_over() -> None:
    days = pa.array([1, 2], pa.date32())
    secret = pa.array([made(Kind.MOBILE, 1)[0].encode()] * 2)
    assert (
        scan([("d", [days]), ("b", [pa.array([True])]), ("p", [secret]), ("n", [pa.nulls(3)]), ("e", [])])
        == ()
    )


@pytest.mark.parametrize("kind", [Kind.RESIDENT_ID, Kind.USCC, Kind.EMAIL])
@pytest.mark.parametrize("form", ["{}", "note: {}.", "请联系{}谢谢", "({})"])
def test_one_clear_value_among_many_texts_says_enough(kind: Kind, form: str) -> None:
    """Check digits, or a form that nothing else has: one of a hundred thousand is no chance."""
    value = made(kind, 40)[0] if kind is not Kind.USCC else _with_letter(made(kind, 40))
    texts = [f"order {number} is on its way" for number in range(100_000)]
    texts[54_321] = form.format(value)
    assert set(found(texts)) == {kind}


@pytest.mark.parametrize(
    "form", ["call {} please", "手机号{}，下午联系", "tel{}", "+86 {}", "0086{}", "86-{}", "({})张先生"]
)
def test_one_mobile_among_words_or_with_its_country_says_enough(form: str) -> None:
    texts = [f"parcel {number}" for number in range(50_000)]
    texts[777] = form.format(made(Kind.MOBILE, 1)[0])
    assert set(found(texts)) == {Kind.MOBILE}


@pytest.mark.parametrize("gap", [" ", "-", ".", "·", " - "])
def test_one_mobile_in_groups_says_enough(gap: str) -> None:
    number = made(Kind.MOBILE, 1)[0]
    assert set(found([*ALONE, gap.join((number[:3], number[3:7], number[7:]))])) == {Kind.MOBILE}


def test_one_bare_mobile_is_a_number_like_any_other() -> None:
    assert not found([*ALONE, made(Kind.MOBILE, 1)[0]])
    assert set(found([*ALONE, *made(Kind.MOBILE, 5)])) == {Kind.MOBILE}


def test_a_card_is_clear_only_where_the_text_speaks_of_one() -> None:
    number = made(Kind.BANK_CARD, 1)[0]
    assert not found([*ALONE, number])
    assert not found([*ALONE, f"parcel {number}"])
    for text in (f"卡号：{number}", f"card {number}", f"退款到银行账户{number}"):
        assert set(found([*ALONE, text])) == {Kind.BANK_CARD}


EVASIONS: dict[str, Callable[[str], str]] = {
    "full-width": lambda text: "".join(chr(ord(sign) + 0xFEE0) if sign.isalnum() else sign for sign in text),
    "mathematical bold": lambda text: "".join(
        chr(0x1D7CE + int(sign)) if sign.isdigit() else sign for sign in text
    ),
    "circled": lambda text: "".join(
        ("⓪①②③④⑤⑥⑦⑧⑨"[int(sign)]) if sign.isdigit() else sign for sign in text
    ),
    "arabic-indic": lambda text: "".join(
        "٠١٢٣٤٥٦٧٨٩"[int(sign)] if sign.isdigit() else sign for sign in text
    ),
    "zero-width space": lambda text: "\u200b".join(text),
    "word joiner": lambda text: "\u2060".join(text),
    "soft hyphen": lambda text: "\u00ad".join(text),
    "keycaps": lambda text: "".join(f"{sign}\ufe0f\u20e3" if sign.isdigit() else sign for sign in text),
    "spaces": lambda text: " ".join(text),
    "no-break spaces": lambda text: "\u00a0".join(text),
    "ideographic spaces": lambda text: "\u3000".join(text),
    "dashes": lambda text: "–".join(text),
    "dots": lambda text: ".".join(text),
    "line breaks": lambda text: "\n".join(text),
    "lower case": str.lower,
}  # fmt: skip


@pytest.mark.parametrize("evasion", EVASIONS)
@pytest.mark.parametrize("kind", [Kind.RESIDENT_ID, Kind.MOBILE, Kind.BANK_CARD, Kind.USCC])
def test_a_number_is_found_however_it_is_dressed(kind: Kind, evasion: str) -> None:
    hidden = [EVASIONS[evasion](value) for value in made(kind, 30)]
    assert set(found([*ALONE, *hidden])) == {kind}
    among = [f"备注{value}，谢谢" for value in hidden]
    assert set(found([*ALONE, *among])) == {kind}


def test_chinese_digits_are_digits() -> None:
    spelt = [
        "".join("零一二三四五六七八九"[int(sign)] for sign in number) for number in made(Kind.MOBILE, 20)
    ]
    assert set(found([*ALONE, *(f"我的号码{number}" for number in spelt)])) == {Kind.MOBILE}
    assert not found([*ALONE, "一九九八年三月", "二十三", "一二三四五"])


def test_an_email_is_found_full_width() -> None:
    assert set(found([*ALONE, "ｕｓｅｒ＠ｅｘａｍｐｌｅ．ｏｒｇ"])) == {Kind.EMAIL}


@pytest.mark.parametrize("kind", [Kind.RESIDENT_ID, Kind.MOBILE, Kind.BANK_CARD])
def test_a_lower_case_x_and_any_border_but_a_digit_or_letter(kind: Kind) -> None:
    values = [value.lower() for value in made(kind, 50)]
    assert set(found([f"<{value}>" for value in values])) == {kind}
    assert set(found([f"电话/证件{value}号" for value in values])) == {kind}


@pytest.mark.parametrize("kind", [Kind.RESIDENT_ID, Kind.MOBILE, Kind.BANK_CARD, Kind.USCC])
def test_a_number_within_a_longer_one_isnt_one(kind: Kind) -> None:
    values = made(kind, 200)
    for around in ("7{}4", "0000000{}", "{}0000000", "SKU{}A", "a{}"):
        assert kind not in found([around.format(value) for value in values])


NUMERIC = (Kind.RESIDENT_ID, Kind.MOBILE, Kind.BANK_CARD, Kind.USCC)


@pytest.mark.parametrize("kind", NUMERIC)
@pytest.mark.parametrize(
    "type_", [pa.int64(), pa.uint64(), pa.decimal128(20, 0), pa.decimal128(30, 2), pa.decimal256(40, 0)]
)
def test_numbers_are_found_in_number_columns(kind: Kind, type_: pa.DataType) -> None:
    numbers = [int(value) for value in made(kind, 600) if value.isdigit() and int(value) < 2**63]
    assert len(numbers) >= 6
    hits = found(
        [Decimal(each) if pa.types.is_decimal(type_) else each for each in numbers] + [None, None], type_
    )
    assert set(hits) == {kind}


def test_numbers_are_found_in_floats() -> None:
    assert set(found([float(value) for value in made(Kind.MOBILE, 30)] + [float("nan"), float("inf")])) == {
        Kind.MOBILE
    }
    # Of a resident's number a float loses the last digits; the county and the day are still there.
    rounded = [float(value) for value in made(Kind.RESIDENT_ID, 100) if value.isdigit()]
    assert set(found(rounded)) == {Kind.RESIDENT_ID}
    assert not found([value / 7 for value in rounded])


def test_one_in_a_hundred_of_a_number_column_is_enough_and_fewer_are_not() -> None:
    """A number column holds one kind of thing: a number in a million is a number."""
    counted = list(range(1, 4000))
    assert set(found([*counted, *(int(value) for value in made(Kind.MOBILE, 60))])) == {Kind.MOBILE}
    assert not found([*counted, *(int(value) for value in made(Kind.MOBILE, 4))])


def test_repeats_count_once_and_the_share_is_of_distinct_values() -> None:
    emails = made(Kind.EMAIL, 3)
    chunks = [pa.array([*emails, "a", "b", "c", None]) for _ in range(50)]
    (hit,) = scan([("c", chunks)])
    assert (hit.values, hit.share) == (3, 0.5)


def test_a_hundred_thousand_distinct_texts_are_no_trouble_for_the_one_at_the_end() -> None:
    chunks = [pa.array([f"a{number}-{chunk}" for number in range(20_000)]) for chunk in range(5)]
    assert {
        hit.kind for hit in scan([("c", [*chunks, pa.array([f"id {made(Kind.RESIDENT_ID, 1)[0]}"])])])
    } == {Kind.RESIDENT_ID}


INNOCENT: dict[str, list[str]] = {
    "departments": ["GROCERY", "DRUG GM", "PRODUCE", "MEAT-PCKGD", "DELI", "PASTRY", "NUTRITION", "SALAD BAR"],
    "two words": ["Red Wine", "Long Sleeve", "Frozen Pizza", "Fan Heater", "Song Book", "Ham Slices", "Hong Kong"],
    "Han categories": [
        "蔬菜", "水果", "黄瓜", "白菜", "牛肉", "鸡蛋", "面包", "米饭", "石榴", "苹果", "花生", "马铃薯", "饮料", "酒水",
        "零食", "日用品", "洗衣液", "牙膏", "纸巾", "家电", "手机", "电脑", "童装", "女装", "男鞋", "玩具", "图书", "文具",
        "汽车用品", "宠物", "调味料", "方便面", "冷冻食品", "海鲜", "豆腐", "牛奶", "酸奶", "茶叶", "咖啡", "糖果",
    ],
    "provinces": [
        "北京", "天津", "河北", "山西", "内蒙古", "辽宁", "吉林", "黑龙江", "上海", "江苏", "浙江", "安徽", "福建", "江西",
        "山东", "河南", "湖北", "湖南", "广东", "广西", "海南", "重庆", "四川", "贵州", "云南", "西藏", "陕西", "甘肃",
        "青海", "宁夏", "新疆", "台湾", "香港", "澳门",
    ],
    "cities": ["石家庄市", "唐山市", "秦皇岛市", "邢台市", "张家口市", "杭州市", "温州市", "武汉市", "黄石市", "金华市"],
    "districts": ["杭州市西湖区", "上海市浦东新区", "北京市朝阳区", "文三路", "长安街", "中山路步行街"],
    "moments": [f"2026-11-{day:02d} 13:45:{day:02d}.123" for day in range(1, 29)],
    "moments without gaps": [f"202611{day:02d}1345{day:02d}123" for day in range(1, 29)],
    "versions": [f"{major}.{minor}.0.{minor}" for major in range(1, 9) for minor in range(9)],
    "times and codes": ["12:30:45", "00:1a:2b:3c:4d:5e", "std::vector", "a::b", "1:2"],
    "boxes of a business": ["info@example.com", "Write to support@example.com!", "kefu@example.cn", "@someone", "a@b"],
    "prices and sizes": ["12.50", "3 x 500 ml", "1,234,567.89", "100 % cotton", "10-20", "51000..54000"],
    "barcodes": [f"69{number:011d}" for number in range(10_000_000, 10_000_400, 7)],
    "padded numbers": [f"{number:012d}" for number in range(1000, 5000, 3)],
    "a counter with a letter": [f"E{number:08d}" for number in range(12_345_600, 12_346_000)],
    "codes of a letter": [f"{chr(65 + number % 26)}{number * 7919:08d}" for number in range(10_000, 10_400)],
    "labels of cars": ["A12345", "新品A123", "川味B套餐", "京东A区12"],
    "identifiers": [f"3f2504e0-4f89-11d3-9a0c-0305e82c{number:04x}" for number in range(300)],
}  # fmt: skip


@pytest.mark.parametrize("what", INNOCENT)
def test_ordinary_columns_are_left_in_peace(what: str) -> None:
    assert found(INNOCENT[what]) == {}


def test_the_examples_have_their_check_digits() -> None:
    """Held against a count of our own, so that the makers and the scan can't be wrong together."""
    for value in made(Kind.RESIDENT_ID, 50):
        weights = [2**power % 11 for power in range(17, -1, -1)]
        digits = [10 if sign == "X" else int(sign) for sign in value]
        assert sum(a * b for a, b in zip(weights, digits, strict=True)) % 11 == 1
        assert value[:6] in COUNTIES


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(), max_size=8))
def test_no_text_breaks_the_scan(texts: list[str]) -> None:
    scan([("c", [pa.array(texts, pa.string())])])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats() | st.none(), max_size=8))
def test_no_number_breaks_the_scan(numbers: list[float | None]) -> None:
    assert not scan([("c", [pa.array(numbers, pa.float64())])])


def _with_letter(values: Sequence[str]) -> str:
    return next(value for value in values if not value.isdigit())


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "西湖区文三路1", "a.", "a@a.", "1.1.", "::", "13912345670 ", "Xi", "E1234567 "]
)
def test_long_texts_are_read_in_one_go(piece: str) -> None:
    """A pattern that tries every split of a long run would never come back."""
    scan([("c", [pa.array([piece * 20_000, f"路{piece * 20_000}号"])])])


@pytest.mark.parametrize(
    "names",
    [
        ["Wang Xiaoming", "Li Na", "ZHANG Wei", "Chen, Jianguo", "Mei Liu", "Zhao Zi-han"],
        ["欧阳娜娜", "诸葛亮", "王先生", "李女士", "张老师", "陈伟"],
        ["姓名：王伟", "姓名：李娜", "姓名: 张敏", "收件人：刘洋", "联系人：陈杰"],
    ],
)
def test_names_in_pinyin_with_titles_and_labels(names: list[str]) -> None:
    assert set(found(names)) == {Kind.NAME}


def test_names_and_addresses_count_by_share_only() -> None:
    words = [f"第{number}批次" for number in range(2000)]
    assert not found([*words, *made(Kind.NAME, 100)])
    assert not found([*words, *made(Kind.ADDRESS, 2)])
    assert set(found([*words, *made(Kind.ADDRESS, 60)])) == {Kind.ADDRESS}


def test_an_ip_of_version_six_and_ones_in_a_log_line() -> None:
    assert set(found([f"2001:db8::{number:x}" for number in range(1, 40)])) == {Kind.IP}
    assert set(found([f"GET / from 198.51.100.{number}" for number in range(1, 40)])) == {Kind.IP}


@pytest.mark.parametrize(
    "form", ["(010) 62345678", "+86 10 6234 5678", "0755 8234 5678", "021-62345678", "02162345678"]
)
def test_landlines_as_people_write_them(form: str) -> None:
    numbers = [form.replace("5678", f"{5600 + at}") for at in range(40)]
    assert set(found(numbers)) == {Kind.LANDLINE}
