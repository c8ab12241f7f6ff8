"""The Great Expectations rules that a contract may name, as data: the engine itself is only imported where rules run.

Left out: what Great Expectations has no SQL form for (JSON, dateutil and strftime parsing, increasing and decreasing, type
lists), what looks beyond its own table, raw SQL (`type: sql` is for that), and conditions in expression languages.
A test holds the list against the installed Great Expectations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.checks import Scope


@dataclass(frozen=True)
class Expectation:
    """One rule: what it speaks of, and its arguments by name with the kind of value each takes.

    Kinds: column, columns (names of this table), number (or an ISO date), share, whole, flag, text, list, pairs, rows.
    """

    scope: Scope
    required: Mapping[str, str]
    optional: Mapping[str, str]


_BOUNDS = {"min_value": "number", "max_value": "number", "strict_min": "flag", "strict_max": "flag"}
_COLUMN = {"column": "column"}
_PAIR = {"column_A": "column", "column_B": "column"}
_COLUMNS = {"column_list": "columns"}
_MOSTLY = {"mostly": "share"}
_SKIP = {"mostly": "share", "ignore_row_if": "text"}


def _row(required: Mapping[str, str], optional: Mapping[str, str]) -> Expectation:
    return Expectation(Scope.ROW, required, optional)


def _table(required: Mapping[str, str], optional: Mapping[str, str] | None = None) -> Expectation:
    return Expectation(Scope.TABLE, required, optional or {})


_LIKE, _LIKES = {"like_pattern": "text"}, {"like_pattern_list": "list"}

EXPECTATIONS: Mapping[str, Expectation] = {
    "expect_column_values_to_be_between": _row(_COLUMN, _BOUNDS | _MOSTLY),
    "expect_column_values_to_be_in_set": _row(_COLUMN | {"value_set": "list"}, _MOSTLY),
    "expect_column_values_to_not_be_in_set": _row(_COLUMN | {"value_set": "list"}, _MOSTLY),
    "expect_column_values_to_be_null": _row(_COLUMN, _MOSTLY),
    "expect_column_values_to_not_be_null": _row(_COLUMN, _MOSTLY),
    "expect_column_values_to_be_unique": _row(_COLUMN, _MOSTLY),
    "expect_column_values_to_match_regex": _row(_COLUMN | {"regex": "regex"}, _MOSTLY),
    "expect_column_values_to_not_match_regex": _row(_COLUMN | {"regex": "regex"}, _MOSTLY),
    "expect_column_values_to_match_regex_list": _row(
        _COLUMN | {"regex_list": "regexes"}, _MOSTLY | {"match_on": "text"}
    ),
    "expect_column_values_to_not_match_regex_list": _row(_COLUMN | {"regex_list": "regexes"}, _MOSTLY),
    "expect_column_values_to_match_like_pattern": _row(_COLUMN | _LIKE, _MOSTLY),
    "expect_column_values_to_not_match_like_pattern": _row(_COLUMN | _LIKE, _MOSTLY),
    "expect_column_values_to_match_like_pattern_list": _row(_COLUMN | _LIKES, _MOSTLY | {"match_on": "text"}),
    "expect_column_values_to_not_match_like_pattern_list": _row(_COLUMN | _LIKES, _MOSTLY),
    "expect_column_value_lengths_to_be_between": _row(_COLUMN, _BOUNDS | _MOSTLY),
    "expect_column_value_lengths_to_equal": _row(_COLUMN | {"value": "whole"}, _MOSTLY),
    "expect_column_value_z_scores_to_be_less_than": _row(
        _COLUMN | {"threshold": "number", "double_sided": "flag"}, _MOSTLY
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": _row(_PAIR, _SKIP | {"or_equal": "flag"}),
    "expect_column_pair_values_to_be_equal": _row(_PAIR, _SKIP),
    "expect_column_pair_values_to_be_in_set": _row(_PAIR | {"value_pairs_set": "pairs"}, _SKIP),
    "expect_compound_columns_to_be_unique": _row(_COLUMNS, _SKIP),
    "expect_multicolumn_sum_to_equal": _row(_COLUMNS | {"sum_total": "number"}, _SKIP),
    "expect_multicolumn_values_to_be_equal": _row(_COLUMNS, _SKIP),
    "expect_select_column_values_to_be_unique_within_record": _row(_COLUMNS, _SKIP),
    "expect_column_distinct_values_to_be_in_set": _table(_COLUMN | {"value_set": "list"}),
    "expect_column_distinct_values_to_contain_set": _table(_COLUMN | {"value_set": "list"}),
    "expect_column_distinct_values_to_equal_set": _table(_COLUMN | {"value_set": "list"}),
    "expect_column_most_common_value_to_be_in_set": _table(
        _COLUMN | {"value_set": "list"}, {"ties_okay": "flag"}
    ),
    "expect_column_max_to_be_between": _table(_COLUMN, _BOUNDS),
    "expect_column_min_to_be_between": _table(_COLUMN, _BOUNDS),
    "expect_column_mean_to_be_between": _table(_COLUMN, _BOUNDS),
    "expect_column_median_to_be_between": _table(_COLUMN, _BOUNDS),
    "expect_column_stdev_to_be_between": _table(_COLUMN, _BOUNDS),
    "expect_column_sum_to_be_between": _table(_COLUMN, _BOUNDS),
    "expect_column_quantile_values_to_be_between": _table(_COLUMN | {"quantile_ranges": "mapping"}),
    "expect_column_proportion_of_non_null_values_to_be_between": _table(_COLUMN, _BOUNDS),
    "expect_column_proportion_of_unique_values_to_be_between": _table(_COLUMN, _BOUNDS),
    "expect_column_unique_value_count_to_be_between": _table(_COLUMN, _BOUNDS),
    "expect_column_to_exist": _table(_COLUMN, {"column_index": "whole"}),
    "expect_table_row_count_to_be_between": _table({}, _BOUNDS),
    "expect_table_row_count_to_equal": _table({"value": "whole"}),
    "expect_table_column_count_to_be_between": _table({}, {"min_value": "number", "max_value": "number"}),
    "expect_table_column_count_to_equal": _table({"value": "whole"}),
    "expect_table_columns_to_match_ordered_list": _table(_COLUMNS),
    "expect_table_columns_to_match_set": _table({"column_set": "columns"}, {"exact_match": "flag"}),
}


def snake(name: str) -> str:
    """The snake_case name of an expectation given as its class name; a name already so is unchanged."""
    if not re.fullmatch(r"[A-Za-z0-9]+", name) or not name[:1].isupper():
        return name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
