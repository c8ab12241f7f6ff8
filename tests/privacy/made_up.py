"""Numbers, names and addresses of nobody: drawn at random, with their check digits counted here."""

from __future__ import annotations

import random

# Counties that exist since numbers are given.
COUNTIES = (
    "110101",
    "110105",
    "310101",
    "310104",
    "330106",
    "440106",
    "440304",
    "510104",
    "420106",
    "320102",
)
_SEGMENTS = (
    "130",
    "133",
    "135",
    "138",
    "139",
    "147",
    "150",
    "158",
    "166",
    "177",
    "180",
    "186",
    "189",
    "191",
    "199",
)
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜敏静磊军洋勇艳杰涛明超霞平刚英华玲桂婷宇浩然梓涵欣怡"


def resident(rng: random.Random) -> str:
    day = f"{rng.randrange(1950, 2010)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
    body = f"{rng.choice(COUNTIES)}{day}{rng.randrange(1000):03d}"
    total = sum(int(sign) * (2 ** (17 - place) % 11) for place, sign in enumerate(body))
    return body + "10X98765432"[total % 11]


def organisation(rng: random.Random) -> str:
    letters = rng.random() < 0.3
    body = ("MA" if letters else "") + "".join(rng.choice("0123456789") for _ in range(6 if letters else 8))
    total = sum(w * int(s, 36) for w, s in zip((3, 7, 9, 10, 5, 8, 4, 2), body, strict=True))
    code = f"91{rng.choice(COUNTIES)}{body}{'0123456789X0'[11 - total % 11]}"
    weighed = sum(_USCC.index(sign) * pow(3, place, 31) for place, sign in enumerate(code))
    return code + _USCC[-weighed % 31]


def mobile(rng: random.Random) -> str:
    return f"{rng.choice(_SEGMENTS)}{rng.randrange(10**8):08d}"


def landline(rng: random.Random) -> str:
    return f"{rng.choice(('010', '021', '0571', '0755', '028', '0898'))}-{rng.randrange(2, 9)}{rng.randrange(10**7):07d}"


def card(rng: random.Random) -> str:
    body = f"{rng.choice(('622202', '621700', '622848', '625900'))}{rng.randrange(10**9):09d}"
    doubled = [int(sign) * (2 if place % 2 == 0 else 1) for place, sign in enumerate(reversed(body))]
    return f"{body}{-sum(each // 10 + each % 10 for each in doubled) % 10}"


def plate(rng: random.Random) -> str:
    head = f"{rng.choice('京沪浙粤川')}{rng.choice('ABCDE')}"
    if rng.random() < 0.3:
        return f"{head}D{rng.randrange(10**5):05d}"
    return f"{head}{rng.choice('ABCDEFGH')}{rng.randrange(10**4):04d}"


def passport(rng: random.Random) -> str:
    head = rng.choice(("E", "E", "G")) + f"{rng.randrange(10**8):08d}"
    return head if rng.random() < 0.7 else f"E{rng.choice('ABCDEFGH')}{rng.randrange(10**7):07d}"


def name(rng: random.Random) -> str:
    given = "".join(rng.choice(_GIVEN) for _ in range(rng.choice((1, 2, 2))))
    return rng.choice((*_SURNAMES, "欧阳", "诸葛")) + given


def address(rng: random.Random) -> str:
    place = rng.choice(("浙江省杭州市西湖区", "上海市徐汇区", "广东省深圳市南山区", "四川省成都市锦江区"))
    road = rng.choice(("文三路", "漕溪北路", "科技园大道", "红星街"))
    return f"{place}{road}{rng.randrange(1, 900)}号{rng.randrange(1, 30)}栋{rng.randrange(100, 2000)}室"
