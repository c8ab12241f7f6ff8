"""What the page of a disclosure report says, each text in Chinese and in English; braces hold numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Text(NamedTuple):
    """One text in both languages."""

    zh: str
    en: str


WORDS: Mapping[str, Text] = {
    "title": Text("隐私披露报告", "Disclosure report"),
    "about": Text("合同 {contract}，版本 {version}", "Contract {contract}, version {version}"),
    "person": Text(
        "本报告中的“人”指合同约定的隐私单元，例如一个人或一户家庭。",
        "A “person” in this report is the contract’s privacy unit: a person, or for instance a household.",
    ),
    "yes": Text("符合合同", "within the contract"),
    "no": Text("超出合同约定", "outside the contract"),
    "unasked": Text("合同未作约定", "the contract sets no limit"),
    "none": Text("无", "none"),
    # The verdict.
    "verdict": Text("结论", "In short"),
    "verdict.good": Text(
        "本次发布满足合同约定的全部限值。请继续阅读“本次发布不能防范什么”。",
        "This release keeps every limit that the contract sets. Do read what it does not protect from.",
    ),
    "verdict.bad": Text(
        "本次发布未满足合同约定的限值，不得对外提供。",
        "This release breaks a limit of the contract. It must not be handed out.",
    ),
    "verdict.file.good": Text(
        "该文件满足合同约定的全部限值，且只含合同允许对外提供的列。请继续阅读“本次发布不能防范什么”。",
        "This file keeps every limit that the contract sets, and holds nothing but what the contract lets out. Do read what it does not protect from.",
    ),
    "verdict.file.bad": Text(
        "该文件不符合合同约定，不得按该合同对外提供。原因见下文的 ✗。",
        "This file is not what the contract lets out. It must not be handed out under it; each ✗ below says why.",
    ),
    # A file that is no release.
    "assessed": Text("测量了什么", "What was measured"),
    "assessed.says": Text(
        "文件 {file} 按其现状测量，如同就此发布；没有发布任何内容。每个值按原样看待，读起来相同的行为一个人群。",
        "The file {file}, as it is, as if it were released; nothing was published. Each value counts as it stands, and rows that read alike are one group.",
    ),
    "assessed.unit": Text("按列 {unit} 计算人数。", "Persons are counted by the column {unit}."),
    "assessed.rows": Text(
        "文件没有说明哪些行属于同一个人，因此每行算作一个人。如果有人占多行，实际风险更高。",
        "The file doesn’t say which rows are one person’s, so each row counts as a person. Where persons have several rows, the risk is higher.",
    ),
    "assessed.limit": Text("限值", "Limit"),
    "asked": Text("要求", "Asked"),
    "reached": Text("达到", "Reached"),
    "limit.k": Text("最小人群（k）", "smallest group (k)"),
    "limit.l": Text("敏感值多样性（l）", "diversity (l)"),
    "limit.entropyL": Text("熵多样性（entropyL）", "effective number of values (entropyL)"),
    "limit.t": Text("与总体分布的距离（t），至多", "distance from everyone’s values (t), at most"),
    "limit.maxUnicity": Text("被锁定的人，至多", "persons singled out, at most"),
    "limit.deidentificationLevel": Text("去标识化等级", "de-identification level"),
    "assessed.shown": Text("计入风险的列", "columns that the risks are measured on"),
    "assessed.held_back": Text("文件中有而合同不允许提供的列", "in the file, though the contract keeps them back"),
    "assessed.undeclared": Text("合同未声明的列，未计入风险", "unknown to the contract, and counted in no risk"),
    "assessed.personal": Text("疑似含有未声明个人信息的列", "seem to hold personal data that isn’t declared"),
    "assessed.missing": Text("发布中会有而文件中没有的列", "a release would have them, the file doesn’t"),
    "k": Text("最小人群（k）", "Smallest group (k)"),
    "k.says": Text("每条公开内容背后至少有这么多人；合同要求 {asked}", "at least so many persons stand behind anything published; asked: {asked}"),
    "l": Text("敏感值多样性（l）", "Diversity (l)"),
    "l.says": Text("每个人群中至少有这么多种敏感值；合同要求 {asked}", "fewest different sensitive values in a group; asked: {asked}"),
    "suppressed": Text("未公开的人", "Persons left out"),
    "suppressed.says": Text("为保护他人而未公开的人（按 k 的整倍数报告）：{count} 或以上；合同上限 {asked}", "persons left out so that the limits hold, told in steps of k: {count} or more; at most {asked}"),
    "level": Text("去标识化等级", "De-identification level"),
    "level.says": Text("依据 GB/T 42460；合同要求 {asked} 级", "by GB/T 42460; asked: level {asked}"),
    "level.says.none": Text("依据 GB/T 42460；合同未要求等级", "by GB/T 42460; the contract asks for none"),
    # What is in it.
    "contents": Text("发布了什么", "What is published"),
    "contents.file": Text("文件里有什么", "What is in the file"),
    "table": Text("表", "Table"),
    "rows": Text("行数", "Rows"),
    "contents.persons": Text(
        "人员表 {table} 公开了 {units} 人，分成 {classes} 个彼此无法区分的人群，平均每群 {mean} 人。",
        "The table {table} shows {units} persons in {classes} groups whose members can’t be told apart, {mean} persons in the mean.",
    ),
    "contents.nobody": Text("没有公开任何人员记录。", "No rows of persons are published."),
    # Risk.
    "risk": Text("被重新识别的风险", "The risk of being found again"),
    "risk.says": Text(
        "如果有人知道某人的准标识符（如年龄、地区），他有多大可能在数据中认出这个人？",
        "Somebody knows a person’s quasi-identifiers, such as age and district: how likely is it that he picks the right row?",
    ),
    "risk.when": Text(
        "“处理前”指未经处理的源数据，“处理后”指实际写出的文件。",
        "“Before” is the source as it came, “after” the file as it was written.",
    ),
    "before": Text("处理前", "before"),
    "after": Text("处理后", "after"),
    "risk.measure": Text("指标", "Measure"),
    "prosecutor_largest": Text("检察官：最大", "prosecutor, largest"),
    "prosecutor_mean": Text("检察官：平均", "prosecutor, mean"),
    "prosecutor_over": Text("检察官：超阈值", "prosecutor, over"),
    "journalist_largest": Text("记者：最大", "journalist, largest"),
    "journalist_mean": Text("记者：平均", "journalist, mean"),
    "journalist_over": Text("记者：超阈值", "journalist, over"),
    "marketer": Text("营销者", "marketer"),
    "risk.threshold": Text("阈值为 {threshold}（虚线）：在所提供的数据中，{share} 的人风险超过它。", "The threshold is {threshold} (dashed): in what goes out, {share} of the persons are over it."),
    "risk.prosecutor": Text(
        "检察官：攻击者寻找一个特定的人，并且知道此人在数据中。风险等于 1 除以此人所在人群的人数。",
        "Prosecutor: looks for one particular person and knows that he is in the data. The risk is one over the size of that person’s group.",
    ),
    "risk.journalist": Text(
        "记者：攻击者只想证明能认出任意一个人，并不知道谁在数据中。",
        "Journalist: wants to show that anybody at all can be found, and doesn’t know who is in the data.",
    ),
    "risk.bound": Text(
        "没有总体人口数据，因此把本表当作总体：记者风险按检察官风险计算，是上限。",
        "No population was given, so the table counts as the population: the journalist’s risk is the prosecutor’s, an upper bound.",
    ),
    "risk.marketer": Text(
        "营销者：攻击者想把所有人与另一份名单对上，只关心能对上多少。",
        "Marketer: links everybody to another list and only asks how many of the links are right.",
    ),
    # Utility.
    "utility": Text("还能用来做什么", "What is left to work with"),
    "utility.says": Text(
        "信息损失（NCP）：0 表示原样保留，100% 表示全部抹去。分布偏移：只看公开的区间时，一列的分布与原始分布相差多少；0 表示没有变化。",
        "Loss (NCP): 0 means that nothing was lost, 100 % that everything was. Shift: how far a column’s distribution, as a reader of the published ranges must assume it, is from the original; 0 is no change.",
    ),
    "loss": Text("信息损失", "loss"),
    "shift": Text("分布偏移", "shift"),
    "column": Text("列", "Column"),
    "all": Text("全部列", "all columns"),
    "utility.class": Text(
        "平均人群为 k 的 {average} 倍（1 倍最细）。可辨识度代价为 {share}：随机取两行，无法区分的比例（C_avg、DM）。",
        "A group has {average} times k persons in the mean (1 is as fine as k allows). Discernibility is {share}: of all pairs of rows, so many can’t be told apart (C_avg, DM).",
    ),
    # Frontier.
    "frontier": Text("换一个 k 会怎样", "What another k would cost"),
    "frontier.says": Text(
        "k 越大，每个人越难被认出，损失的细节也越多。虚线是合同现在的 k。用多维搜索（Mondrian）计算，其余限值不变。",
        "The larger k, the better persons are hidden and the more detail is lost. The dashed line is the contract’s k. Found by the multidimensional search (Mondrian), the other limits as they are.",
    ),
    "frontier.sample": Text(
        "曲线由随机抽取的 {persons} 人（共 {of} 人）得出。人少则更难隐藏，所以对全表而言损失会更小。",
        "Measured on a random sample of {persons} of {of} persons. Fewer persons are harder to hide, so the whole table loses less at each k.",
    ),
    "frontier.classes": Text("人群数", "Groups"),
    "frontier.suppressed": Text("未公开", "Left out"),
    "numbers": Text("全部数字", "All numbers"),
    # Unicity.
    "unicity": Text("已知几个点就能锁定一个人", "How few known points single a person out"),
    "unicity.says": Text(
        "按行公开的事实（购买、点击、行程）：如果有人知道某人的 p 条记录，有多大比例的人因此是唯一的？虚线是合同上限。",
        "Facts that go out as rows (purchases, clicks, trips): somebody knows p of a person’s rows. What share of persons does that single out? The dashed line is the contract’s limit.",
    ),
    "points": Text("已知点数", "known points"),
    "share": Text("被锁定的人", "singled out"),
    "limit": Text("上限", "Limit"),
    # Attacks.
    "attacks": Text("实际实施的攻击", "Attacks that were run"),
    "attacks.says": Text(
        "我们真的对这次发布实施了攻击。“成功率”是攻击成功的比例，“基准”是没有这次发布时同样猜测的成功率；风险是本次发布使多大比例原本失败的猜测变为成功。括号内为 95% 置信区间。",
        "These attacks were really run on this release. “Success” is how often they worked, “baseline” how often the same guess works without the release; the risk is what share of the guesses that fail without it succeed with it. In brackets: 95 % confidence interval.",
    ),
    "attack": Text("攻击", "Attack"),
    "success": Text("成功率", "success"),
    "baseline": Text("基准", "baseline"),
    "control": Text("对照", "Control"),
    "added": Text("风险", "Risk"),
    "singling-out.univariate": Text("单独挑出：单列", "singling out: 1 column"),
    "singling-out.multivariate": Text("单独挑出：多列", "singling out: columns"),
    "singling-out.sensitive": Text("单独挑出：含敏感值", "singling out: secrets"),
    "linkage": Text("关联", "linkage"),
    "inference": Text("推断 {column}", "inference {column}"),
    "singling-out.univariate.says": Text(
        "用一列公开的分界猜一个区间：其中是否恰好只有一个人？",
        "guesses a range from the cuts that one column shows: does exactly one person lie in it?",
    ),
    "singling-out.multivariate.says": Text(
        "用一行公开的若干取值组成条件：是否恰好只有一个人符合？",
        "takes some of a published row’s values together: does exactly one person fit?",
    ),
    "singling-out.sensitive.says": Text(
        "再加上该行的敏感值：是否恰好只有一个人符合？这个比例高不等于泄露，但如果有人从别处得知某人的敏感值，就能确定哪一行属于他。",
        "adds the row’s sensitive value: does exactly one person fit? A high share is no leak by itself; but who has learnt a person’s sensitive value elsewhere then knows which row is his.",
    ),
    "linkage.says": Text(
        "两个来源各掌握一个人的一半准标识符，能否通过本次发布把它们对上？基准是把两个不同的人对上的比例。",
        "two sources each hold one half of a person’s quasi-identifiers: does the release bring them together? The baseline is how often it brings two different persons together.",
    ),
    "inference.says": Text(
        "攻击者知道全部准标识符，猜测人群中最常见的敏感值。基准是对所有人都猜最常见的值；对照是对未公开的人作同样的猜测。",
        "knows all quasi-identifiers and guesses the group’s commonest value. Baseline: everyone’s commonest. Control: the same guess at persons who were left out.",
    ),
    "attacks.nothing": Text(
        "没有一种攻击的风险可以确定大于零。",
        "No attack’s risk is surely above zero.",
    ),
    "attacks.something": Text(
        "风险确定大于零的攻击：{names}。请判断这对数据接收方意味着什么。",
        "Attacks whose risk is surely above zero: {names}. Judge what that means in this recipient’s hands.",
    ),
    # Cells.
    "cells": Text("汇总单元格", "Cells"),
    "cells.says": Text(
        "事实以汇总单元格公开，每个单元格背后至少有 k 人。",
        "Facts are published as cells, and at least k persons stand behind each.",
    ),
    "cells.count": Text("单元格", "Cells"),
    "cells.smallest": Text("最小人数", "Fewest persons"),
    "cells.suppressed": Text("未公开的事实", "Facts suppressed"),
    # Beside other releases.
    "beside": Text("与其他有效发布放在一起", "Together with other live releases"),
    "beside.says": Text(
        "同一批人还有 {live} 份其他有效发布。下表说明把它们全部放在一起阅读的人能知道什么；候选人少于 {k} 的人即为暴露。",
        "There are {live} other live releases of the same persons. This is what somebody can tell who reads all of them; with fewer than {k} candidates a person counts as exposed.",
    ),
    "beside.who": Text("指标", "Measure"),
    "beside.count": Text("人数", "Persons"),
    "beside.persons": Text("出现在任何一份中的人", "in any of them"),
    "beside.smallest": Text("任何人最少的候选人数", "fewest candidates of anyone"),
    "beside.exposed": Text("暴露的人", "exposed"),
    "beside.again": Text("与上一份发布中相同的人", "shown as in the release before"),
    "beside.held": Text("已离开或有变化、但暂时不能如此显示的人（按 k 的整倍数，至少）", "left or changed, and can’t be shown so yet (in steps of k: this many or more)"),
    "beside.waiting": Text("新加入、但人数太少还不能显示的人（按 k 的整倍数，至少）", "new, and too few to be shown yet (in steps of k: this many or more)"),
    "beside.cells.says": Text(
        "其他有效发布也含有同一些事实的汇总单元格。把它们任意相加或相减，得到的结果背后都应至少有 {k} 人，或不少于某一个单元格的人数。",
        "Other live releases hold cells of the same facts. Whatever adding and subtracting all of them gives should be of at least {k} persons, or of as many as one whole cell.",
    ),
    "beside.cells.live": Text("其他单元格表", "Other tables of cells"),
    "beside.cells.persons": Text("本表涉及的人", "Persons behind these"),
    "beside.cells.exposed": Text("暴露的人", "Exposed"),
    "beside.rows.says": Text(
        "其他有效发布也按行公开同一些事实。下表说明把它们并排阅读、知道所有公开列的人能锁定多少人。",
        "Other live releases show the same facts as rows. This is what somebody singles out who lays them side by side and knows the columns of all.",
    ),
    "beside.rows.live": Text("其他按行公开的表", "Other tables of rows"),
    "earlier.rows.says": Text(
        "本合同此前的有效发布中也出现相同的假名。下表说明沿着假名把各次发布连起来阅读的人能锁定多少人。",
        "Earlier live releases of this contract show the same pseudonyms. This is what somebody singles out who follows them from one release to the next.",
    ),
    "earlier.rows.live": Text("此前的发布", "Earlier releases"),
    # Level.
    "levels": Text("去标识化等级的含义", "What the level means"),
    "level.1": Text("1 级：数据能直接识别个人。", "Level 1: the data names persons."),
    "level.2": Text("2 级：已消除直接标识符，但重标识风险仍不低。", "Level 2: it doesn’t name them, but the risk of finding them isn’t low."),
    "level.3": Text("3 级：重标识风险低于设定的阈值，可以接受。", "Level 3: the risk of finding them is below the thresholds that were set."),
    "level.4": Text("4 级：只有汇总数据，没有单个人的记录。", "Level 4: only aggregates, no rows of single persons."),
    "level.reached": Text("本次发布达到 {level} 级。", "This release reaches level {level}."),
    "level.source": Text(
        "等级定义依据 GB/T 42460-2023；阈值由本系统设定，可由运营方修改。",
        "Levels by GB/T 42460-2023; the thresholds are this system’s own, and an operator may change them.",
    ),
    # What it doesn't protect from.
    "not": Text("本次发布不能防范什么", "What this does not protect from"),
    "not.background": Text(
        "背景知识：如果有人已经知道某人不可能有哪些敏感值，就能排除它们，剩下的更容易猜中。",
        "Background knowledge: who knows which sensitive values a person can’t have rules them out, and the rest is easier to guess.",
    ),
    "not.releases": Text(
        "其他发布：同一批人的另一份数据，无论来自哪里，都可能与这一份相互印证而缩小范围。",
        "Other releases: another table about the same persons, wherever it comes from, may narrow down what this one leaves open.",
    ),
    "not.collusion": Text(
        "串通：多个接收方把各自得到的数据放在一起，比任何一方知道得更多。",
        "Collusion: recipients who put together what each of them got know more than any one of them.",
    ),
    "not.population": Text(
        "统计推断：如果数据显示某类人大多如何，那么对这类人中的任何一个都可以这样猜，即使此人不在数据中。",
        "Inference from the population: where the data shows what most persons of a kind are like, anybody of that kind can be guessed at, also one who isn’t in it.",
    ),
    "not.insiders": Text(
        "内部知情者：知道某人某条记录的人（例如此人自己或柜台员工）可能认出它。",
        "Insiders: who knows one of a person’s rows, as that person does or a clerk, may know it again.",
    ),
    "not.undeclared": Text(
        "未声明的准标识符：合同没有声明为准标识符的列，没有计入以上的风险。",
        "Undeclared quasi-identifiers: what the contract doesn’t declare as one isn’t counted in the risks above.",
    ),
    "not.misuse": Text(
        "违约使用：数据交付之后如何使用，由合同约束，技术不能强制。",
        "Misuse: what is done with a copy once it’s handed over is bound by the contract, and no program enforces it.",
    ),
    # Sources.
    "sources": Text("计算方法与出处", "How it was measured, and whose formulas"),
    "sources.list": Text(
        "风险：El Emam 2013；k 匿名：Sweeney 2002，按人计数；l 多样性：Machanavajjhala 等 2007；信息损失：Xu 等 2006；可辨识度：Bayardo、Agrawal 2005；平均人群：LeFevre 等 2006；攻击：参照 Giomi 等 2022（anonymeter）；置信区间：Wilson 1927；独特性：de Montjoye 等 2013；等级：GB/T 42460-2023。",
        "Risk: El Emam 2013. k-anonymity: Sweeney 2002, over persons. l-diversity: Machanavajjhala et al. 2007. Loss: Xu et al. 2006. Discernibility: Bayardo, Agrawal 2005. Mean group: LeFevre et al. 2006. Attacks: in the manner of Giomi et al. 2022 (anonymeter). Intervals: Wilson 1927. Unicity: de Montjoye et al. 2013. Levels: GB/T 42460-2023.",
    ),
    "unmeasured": Text("本次发布没有测量此项。", "Not measured for this release."),
    "picture.risk": Text("处理前后的风险", "risk before and after"),
    "picture.utility": Text("各列的信息损失与分布偏移", "loss and shift of each column"),
    "picture.frontier": Text("信息损失随 k 的变化", "loss against k"),
    "picture.unicity": Text("被锁定的人随已知点数的变化", "persons singled out against known points"),
    "picture.attacks": Text("各种攻击的成功率与基准", "success and baseline of each attack"),
}  # fmt: skip
