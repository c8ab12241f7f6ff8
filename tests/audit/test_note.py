from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.note import MAX_NOTE_BYTES, MAX_SIGNATURES, Note, Signature, VerifierKey
from core.errors import LedgerError, UsageError
from core.keys import Signer

# The example of golang.org/x/mod/sumdb/note, of which C2SP signed-note is the specification.
PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
PETER_NOTE = (
    PETER_TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example of c2sp.org/signed-note: its text holds an empty line.
SALVATORE_NOTE = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
    "\n— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)

HALL, WITNESS, STRANGER = (
    Signer(name, name.encode().ljust(32)) for name in ("hall", "witness.example/1", "hall")
)
STRANGER = Signer("hall", b"s" * 32)
HALL_KEY, WITNESS_KEY = VerifierKey.of(HALL), VerifierKey.of(WITNESS)

# Any character that a note may hold: no control but newline, no surrogate.
CHARS = st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, range(32)))) | st.just(
    "\n"
)
TEXTS = st.text(CHARS).map(lambda text: text + "\n")
NAMES = st.text(CHARS, min_size=1, max_size=20).filter(
    lambda n: "+" not in n and not any(c.isspace() for c in n)
)
SIGNATURES = st.builds(
    Signature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)
)


def test_the_published_example() -> None:
    signer, key = Signer("PeterNeumann", PETER_SEED), VerifierKey.parse(PETER_VKEY)
    assert str(VerifierKey.of(signer)) == PETER_VKEY
    assert str(Note.sign(PETER_TEXT, signer)) == PETER_NOTE
    note = Note.parse(PETER_NOTE)
    assert note.text == PETER_TEXT
    assert note.verified_by([key]) == (key,)


def test_the_specifications_example_with_an_empty_line_in_its_text() -> None:
    note = Note.parse(SALVATORE_NOTE)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    (signature,) = note.signatures
    assert (signature.name, len(signature.value)) == ("quasimodo.example/salvatore", 64)
    assert str(note) == SALVATORE_NOTE


@settings(deadline=None)
@given(TEXTS, st.lists(SIGNATURES, min_size=1, max_size=4))
def test_any_note_goes_there_and_back(text: str, signatures: list[Signature]) -> None:
    note = Note(text, tuple(signatures))
    assert Note.parse(str(note)) == note


@settings(deadline=None)
@given(st.text(st.sampled_from("— ab\nA=+/\r\u2028") | st.characters()))
def test_what_parses_is_written_back_byte_for_byte(text: str) -> None:
    for candidate in (text, f"{text}\n\n— a AAAAAAA=\n", f"x\n\n— a {text}\n"):
        try:
            note = Note.parse(candidate)
        except LedgerError:
            continue
        assert str(note) == candidate


@settings(deadline=None)
@given(TEXTS)
def test_signatures_hold_for_their_text_alone(text: str) -> None:
    note = Note.parse(str(Note.sign(text, HALL, WITNESS)))
    assert note.verified_by([HALL_KEY, WITNESS_KEY]) == (HALL_KEY, WITNESS_KEY)
    for other in ("x" + text, text + "\n"):
        with pytest.raises(LedgerError, match="a false signature of a known key"):
            Note(other, note.signatures).verified_by([HALL_KEY])


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    """Also those that share a name with a known key, and those of other algorithms and lengths."""
    note = Note.sign("text\n", STRANGER, HALL)
    witness = Signature("hall", b"\x00\x01\x02\x03", b"ml-dsa" * 400)
    same_id = Signature("another", HALL_KEY.key_id, b"x")
    assert Note("text\n", (witness, same_id, *note.signatures)).verified_by([HALL_KEY]) == (HALL_KEY,)


def test_a_note_without_a_known_signature_is_refused() -> None:
    with pytest.raises(LedgerError) as caught:
        Note.sign("text\n", STRANGER).verified_by([HALL_KEY])
    assert str(caught.value) == "A note isn't signed by any trusted key. (hall)"
    with pytest.raises(LedgerError):
        Note.sign("text\n", HALL).verified_by([])


@pytest.mark.parametrize("value", [b"\x00" * 64, b"short", b"\xff" * 64])
def test_one_false_signature_of_a_known_key_spoils_the_note(value: bytes) -> None:
    good = Note.sign("text\n", HALL, WITNESS)
    false = Signature("hall", HALL_KEY.key_id, value)
    for signatures in ((false, *good.signatures), (*good.signatures, false)):
        with pytest.raises(LedgerError, match="a false signature of a known key"):
            Note("text\n", signatures).verified_by([WITNESS_KEY, HALL_KEY])


def test_two_keys_of_one_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VerifierKey, "key_id", b"same")
    with pytest.raises(UsageError, match="share a name and an id"):
        Note.sign("text\n", HALL).verified_by([HALL_KEY, VerifierKey.of(STRANGER)])


LINE = "— hall AAAAAAA="  # an id and one byte


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        f"text\n{LINE}\n",  # no empty line
        f"\n{LINE}\n",  # no text
        f"text\n\n{LINE}",  # no newline at the end
        f"text\n\n{LINE}\n\n",  # an empty line after the signatures
        "text\n\n\n",
        "text\n\n-- hall AAAAAAA=\n",
        "text\n\n—hall AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n",  # no name
        "text\n\n— ha ll AAAAAAA=\n",
        "text\n\n— ha\u00a0ll AAAAAAA=\n",
        "text\n\n— ha\u2028ll AAAAAAA=\n",
        "text\n\n— ha+ll AAAAAAA=\n",
        "text\n\n— hall\n",
        "text\n\n— hall AAAAAAA\n",  # no padding
        "text\n\n— hall AAAAAAB=\n",  # bits in the padding
        "text\n\n— hall AAAAAAA=x\n",
        "text\n\n— hall AAAA_AA=\n",
        "text\n\n— hall AAAAAAA= \n",
        "text\n\n— hall AAAAAA==\n",  # an id and no signature
        "text\n\n— hall é\n",
        f"te\txt\n\n{LINE}\n",
        f"te\x00xt\n\n{LINE}\n",
        f"text\r\n\n{LINE}\n",
        f"te\ud800xt\n\n{LINE}\n",
        f"text\n\n{LINE}\r\n",
        "text\n\n" + f"{LINE}\n" * (MAX_SIGNATURES + 1),
        "x" * MAX_NOTE_BYTES + f"\n\n{LINE}\n",
    ],
)
def test_a_malformed_note_is_refused(note: str) -> None:
    assert Note.parse(f"text\n\n{LINE}\n").signatures[0].value == b"\x00"
    with pytest.raises(LedgerError, match="malformed"):
        Note.parse(note)


def test_as_many_signatures_as_the_limit_are_taken() -> None:
    assert len(Note.parse("text\n\n" + f"{LINE}\n" * MAX_SIGNATURES).signatures) == MAX_SIGNATURES


@settings(deadline=None)
@given(NAMES, st.binary(min_size=32, max_size=32))
def test_any_verifier_key_goes_there_and_back(name: str, seed: bytes) -> None:
    key = VerifierKey.of(Signer(name, seed))
    assert VerifierKey.parse(str(key)) == key


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        PETER_VKEY.replace("c74f20a3", "c74f20a4"),
        PETER_VKEY.replace("c74f20a3", "C74F20A3"),
        PETER_VKEY.replace("Peter", "peter"),
        PETER_VKEY.replace("ARpc", "AhpC"),  # another algorithm
        PETER_VKEY + "AA==",
        PETER_VKEY + "\n",
        PETER_VKEY.removesuffix("10TW"),
        "Peter Neumann" + PETER_VKEY.removeprefix("PeterNeumann"),
    ],
)
def test_a_malformed_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(UsageError):
        VerifierKey.parse(vkey)
