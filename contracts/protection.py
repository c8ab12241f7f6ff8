"""How a contract protects the persons in its data: what is done to columns, how values coarsen, what a class must keep,
and in which form facts go out. Values only; `contracts.terms`, `columns`, `hierarchy`, `cellplan` and `rowplan` read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Transform(StrEnum):
    """What is done to a column. Defaults by role: identifier drop, quasi-identifier generalize, excluded drop, else keep.

    TOKEN, SHIFT, CLAMP, ROUND and NOISE have parameters, see `Treatment`.
    """

    DROP = "drop"
    PSEUDONYM = "pseudonym"
    TOKEN = "token"  # AES-SIV under two holders' keys: what both together can undo
    GENERALIZE = "generalize"
    KEEP = "keep"
    REDACT = "redact"  # the column stays, each value that is there becomes the same mark
    ROUND = "round"  # to the nearest multiple, halves to even
    CLAMP = "clamp"  # top and bottom coding
    NOISE = "noise"  # discrete Laplace noise of a declared scale
    SHIFT = "shift"  # days, moved by one secret number for each unit


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """The parameters of a transform; those of other transforms are None.

    holder: TOKEN, the party that holds the second key. step: ROUND, and the grid of NOISE. low, high: CLAMP, at least one.
    scale: NOISE, in the column's unit. days: SHIFT, the farthest that a unit is moved either way.
    """

    holder: str | None = None
    step: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    scale: Decimal | None = None
    days: int | None = None


@dataclass(frozen=True, kw_only=True)
class TreeFile:
    """A file beside the contract that holds a tree. path: from the contract's folder on; sha256: of its bytes, hex."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class HierarchySpec:
    """How the values of a column may be coarsened. NULL is always a leaf of its own, after the others.

    kind
        "natural"    the values' own order (numbers, dates, texts); steps are found from the data's span
        "ordered"    `leaves` in the order that counts; classes are runs of it
        "tree"       `leaves` in depth-first order and `nodes`, each a name and the run [first, last] of leaves that it
                     covers; written in the contract, or in a CSV or YAML file beside it whose digest the contract names
        "intervals"  numbers in runs of `widths` from `origin` (each a multiple of the one before)
        "dates"      days and moments by `parts`, from fine to coarse: day, month, quarter, year, decade
        "prefix"     texts by their first `lengths` characters, from long to short; the rest is masked
        "built"      from the data: `groups` runs of about equally many units, then `fan` of them together at each level

    file: where a tree was read from. A sensitive column has a "natural" or an "ordered" one, for t-closeness only.
    """

    kind: str
    leaves: tuple[str, ...] = ()
    nodes: tuple[tuple[str, int, int], ...] = ()
    widths: tuple[Decimal, ...] = ()
    origin: Decimal = Decimal(0)
    parts: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    groups: int = 0
    fan: int = 2
    file: TreeFile | None = None

    @property
    def unread(self) -> bool:
        """Whether the tree stands in a file that wasn't at hand when the contract was read, as in a negotiation's dossier.

        Such a spec names its tree by the digest and holds no leaves: it can be signed, and nothing can be coarsened by it.
        """
        return self.file is not None and not self.leaves


class Search(StrEnum):
    """How classes are found. AUTO runs both where that is cheap, and takes the one that loses less."""

    AUTO = "auto"
    MULTIDIMENSIONAL = "multidimensional"
    FULL_DOMAIN = "fullDomain"


@dataclass(frozen=True, kw_only=True)
class PrivacyTerms:
    """Limits that a release must keep. unit: the column that tells whose a row is, in every table about persons.

    k: fewest units in a class or cell. l: fewest distinct sensitive values in a class. entropy_l: least effective number
    of sensitive values in a class, exp(entropy). t: farthest that a class's sensitive values may be distributed from
    everyone's, as earth mover's distance: ordered for numbers, days and columns with an ordered hierarchy, else equal.
    None asks nothing. max_suppressed: largest share of units whose subject rows may be left out (0..1).
    max_intersected: largest share of units (0..1) that may stand in fewer than k candidates for a reader of all live
    releases of the same source, or of all live cells of the same facts in pieces of fewer than k.
    """

    unit: str
    k: int
    l: int  # noqa: E741 (the literature's name)
    max_suppressed: float = 0.0
    entropy_l: float | None = None
    t: float | None = None
    search: Search = Search.AUTO
    max_intersected: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level of detail of a cell dimension: a column, its numbers grouped by `width` when that is over 1.

    width 4 on a week number from 1 gives 1-4, 5-8, ...; `origin` is the first number (1 there). `label` names the
    level in the published table, e.g. "department" or "4 weeks".
    """

    label: str
    column: str
    width: int = 1
    origin: int = 0


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A dimension of the cells: its levels from fine to coarse. Beyond the last level stands "all"."""

    name: str
    levels: tuple[Level, ...]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number each cell carries. aggregate: "sum", "count" (rows) or "countDistinct"; decimals: digits kept of a sum."""

    name: str
    aggregate: str
    column: str | None = None
    decimals: int | None = None


@dataclass(frozen=True, kw_only=True)
class CellPlan:
    """How facts become cells: segment x dimensions -> measures.

    segments_of: the subject table whose classes are gathered into segments of at least `segment_min_units` persons;
    None when facts have no subject table (everyone is one segment). Each cell also counts its distinct privacy units
    under `count_name`. A cell under k loses its segment first, then dimensions in the order that loses least, as they stand
    in `dimensions` where several lose the same.
    """

    segments_of: str | None
    segment_min_units: int
    dimensions: tuple[Dimension, ...]
    measures: tuple[Measure, ...]
    count_name: str = "units"


@dataclass(frozen=True, kw_only=True)
class RowPlan:
    """How facts go out row by row under a pseudonym of their unit.

    period: "day", "week", "month", "quarter" or "year" of `period_column`, after which a unit's pseudonym changes; None
    for one that lasts. max_rows: rows of one unit (and period) at most, the others are left out by a secret draw. points,
    max_unicity: of the units (within a period), at most this share (0..1) may be singled out by so many known rows.
    """

    period: str | None
    period_column: str | None
    max_rows: int | None
    points: int
    max_unicity: float
