"""What a column may mean, by its name: words in English and Chinese, from the most telling to the least.

A guess, and a cautious one: what a name suggests is proposed, and what it doesn't suggest isn't ruled out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts.declared import Grade, Sensitivity
from contracts.model import Role

_IDENTIFIER, _QUASI, _SENSITIVE, _EXCLUDED = (
    Role.IDENTIFIER,
    Role.QUASI_IDENTIFIER,
    Role.SENSITIVE,
    Role.EXCLUDED,
)


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """what: for people, after "its name speaks of". role: in a table about persons."""

    what: str
    role: Role
    sensitivity: Sensitivity = Sensitivity.PERSONAL
    grade: Grade = Grade.GENERAL


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# The first that fits decides. Sources of the sensitive kinds: PIPL, article 28; GB/T 45574-2025.
MEANINGS: tuple[tuple[Meaning, tuple[str, ...]], ...] = (
    (Meaning(what="a secret", role=_EXCLUDED), _words("password passwd pwd secret token pin 密码 口令")),
    (Meaning(what="an identity document", role=_IDENTIFIER, sensitivity=Sensitivity.IDENTITY),
     _words("id_card idcard identity national_id passport ssn driving_licence driver_license 身份证 护照 证件 驾驶证")),
    (Meaning(what="an account or a card", role=_IDENTIFIER, sensitivity=Sensitivity.FINANCIAL),
     _words("bank iban card_no card_number card_num account_no account_number 银行 账号 卡号")),
    (Meaning(what="biometrics or genes", role=_EXCLUDED, sensitivity=Sensitivity.BIOMETRIC, grade=Grade.IMPORTANT),
     _words("face fingerprint iris voiceprint genome gene dna 人脸 指纹 虹膜 声纹 基因")),
    (Meaning(what="where somebody is", role=_IDENTIFIER, sensitivity=Sensitivity.WHEREABOUTS, grade=Grade.IMPORTANT),
     _words("lat latitude lon lng longitude gps geo coordinate coordinates trajectory location 经度 纬度 轨迹 定位")),
    (Meaning(what="health", role=_SENSITIVE, sensitivity=Sensitivity.MEDICAL),
     _words("diagnosis disease icd icd10 medication drug prescription blood pregnancy symptom allergy health 诊断 疾病 病史 药 血型 健康")),
    (Meaning(what="belief", role=_SENSITIVE, sensitivity=Sensitivity.RELIGIOUS), _words("religion faith church 宗教 信仰")),
    (Meaning(what="a child", role=_SENSITIVE, sensitivity=Sensitivity.MINOR), _words("minor guardian child_name 儿童 未成年 监护")),
    (Meaning(what="descent, politics or crime", role=_SENSITIVE, sensitivity=Sensitivity.OTHER),
     _words("ethnicity race political politics sexual orientation criminal crime 民族 政治 党员 犯罪")),
    (Meaning(what="somebody's money", role=_SENSITIVE, sensitivity=Sensitivity.FINANCIAL),
     _words("income salary wage wages balance credit debt loan wealth 收入 工资 余额 信用 贷款")),
    (Meaning(what="a way to reach somebody", role=_IDENTIFIER),
     _words("email mail phone mobile tel telephone fax wechat weixin qq openid unionid address addr street 邮箱 电话 手机 微信 地址 住址")),
    (Meaning(what="a device or a vehicle", role=_IDENTIFIER),
     _words("ip mac imei imsi idfa oaid device cookie user_agent plate vin 设备 车牌")),
    (Meaning(what="free text", role=_EXCLUDED),
     _words("note notes comment comments remark remarks text message review 备注 评论 留言")),
    (Meaning(what="an age", role=_QUASI), _words("age birth born birthday birthdate dob 年龄 出生 生日")),
    (Meaning(what="what others know of a person", role=_QUASI),
     _words("sex gender zip zipcode postcode postal city town county province district region country marital marriage "
            "education school occupation job profession employer household kids children language ownership "
            "性别 城市 省份 区县 邮编 婚姻 教育 学历 职业 单位 国籍")),
)  # fmt: skip
_NAME = Meaning(what="a name", role=_IDENTIFIER)
_NAMES = _words("name surname nickname firstname lastname fullname username 姓名 昵称 名字")

PERSONS = _words(
    "customer client user member household person patient buyer consumer subscriber passenger driver rider employee "
    "student cardholder policyholder borrower resident citizen cust 用户 会员 客户 顾客 患者 乘客 员工 学生 消费者 居民"
)
THINGS = _words(
    "product goods item sku article brand manufacturer category department store shop branch warehouse campaign coupon "
    "promotion supplier package material model 商品 产品 品牌 品类 门店 店铺 仓库 活动 供应商"
)
_CALENDAR = _words("year quarter month week weekday dow hour 年份 月份 季度 星期 小时")
_IDS = _words("id ids no num number key code uuid guid hash uid 编号 号 号码 代码")


def meaning_of(name: str) -> Meaning | None:
    """What a column's name suggests of a person; None when it suggests nothing."""
    for meaning, words in MEANINGS:
        if has(name, words):
            return meaning
    # A product has a name too.
    return _NAME if has(name, _NAMES) and not has(name, THINGS) else None


def names_persons(name: str) -> bool:
    """Whether a column's name says that it tells one person from another."""
    if not has(name, PERSONS):
        return has(name, ("uid", "openid", "unionid"))
    rest = _plain(name)
    for word in PERSONS:
        rest = rest.replace(word if _chinese(word) else f"_{word}_", "_")
    return not rest.strip("_") or is_id(name)


def names_things(name: str) -> bool:
    """Whether a column's name speaks of what is sold, or where, rather than of who buys."""
    return has(name, THINGS) and not has(name, PERSONS)


def is_id(name: str) -> bool:
    """Whether a column's name says that its values point at one of something."""
    return has(name, _IDS)


def is_calendar(name: str) -> bool:
    """Whether a column's name speaks of a part of the calendar: a number of it isn't summed."""
    return has(name, _CALENDAR)


def has(name: str, words: tuple[str, ...]) -> bool:
    """Whether one of the words stands in a name: whole, between underscores, capitals or other signs; Chinese anywhere."""
    plain = _plain(name)
    return any(word in plain if _chinese(word) else f"_{word}_" in plain for word in words)


def _plain(name: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return f"_{re.sub(r'[^a-z0-9一-鿿]+', '_', parted.lower()).strip('_')}_"


def _chinese(word: str) -> bool:
    return not word.isascii()
