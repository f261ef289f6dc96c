"""Comparing what was dumped with what was restored."""

from apps.backups.content import differences, row_count

DUMPED = {"a": {"rows": 2, "digest": "1"}, "b": {"rows": 3, "digest": "2"}}


def test_equal_content_has_no_differences():
    assert list(differences(DUMPED, {"b": {"rows": 3, "digest": "2"}, "a": {"rows": 2, "digest": "1"}})) == []
    assert row_count(DUMPED) == 5


def test_every_kind_of_difference_is_named():
    found = {"a": {"rows": 2, "digest": "x"}, "c": {"rows": 0, "digest": "0"}}
    assert list(differences(DUMPED, found)) == [
        "a: the rows have another content than those dumped",
        "b: missing, 3 rows were dumped",
        "c: was not in the database that was dumped",
    ]
    fewer = {"a": {"rows": 1, "digest": "x"}, "b": DUMPED["b"]}
    assert list(differences(DUMPED, fewer)) == ["a: 1 rows, 2 were dumped"]
