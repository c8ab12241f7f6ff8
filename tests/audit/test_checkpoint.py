from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from audit.note import Note, VerifierKey
from core.errors import LedgerError
from core.keys import Signer

# The example of c2sp.org/tlog-checkpoint.
PUBLISHED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
ROOT = base64.b64encode(bytes(32)).decode()
HALL = Signer("logs.example/hall", b"h" * 32)
KEY = VerifierKey.of(HALL)

LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
CHECKPOINTS = st.builds(
    Checkpoint,
    origin=LINES,
    size=st.integers(0, 2**63 - 1),
    root=st.binary(min_size=32, max_size=32),
    extensions=st.lists(LINES, max_size=3).map(tuple),
)


def test_the_published_example() -> None:
    note = Note.parse(PUBLISHED)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size, checkpoint.extensions) == (
        "example.com/behind-the-sofa",
        20852163,
        (),
    )
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e1d90c808014aa89b")
    assert str(checkpoint) == note.text


@settings(deadline=None)
@given(CHECKPOINTS)
def test_any_checkpoint_goes_there_and_back(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(str(checkpoint)) == checkpoint


@settings(deadline=None)
@given(CHECKPOINTS)
def test_a_signed_checkpoint_opens_with_its_logs_key_alone(checkpoint: Checkpoint) -> None:
    checkpoint = Checkpoint(HALL.name, checkpoint.size, checkpoint.root, checkpoint.extensions)
    note = sign_checkpoint(checkpoint, HALL)
    assert open_checkpoint(note, KEY) == checkpoint
    with pytest.raises(LedgerError, match="isn't signed by any trusted key"):
        open_checkpoint(note, VerifierKey.of(Signer(HALL.name, b"x" * 32)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"origin\n1\n{ROOT}",
        "origin\n1\n",
        f"\n1\n{ROOT}\n",
        f"origin\n\n{ROOT}\n",
        f"origin\n01\n{ROOT}\n",
        f"origin\n+1\n{ROOT}\n",
        f"origin\n-1\n{ROOT}\n",
        f"origin\n 1\n{ROOT}\n",
        f"origin\n1_0\n{ROOT}\n",
        f"origin\n１\n{ROOT}\n",
        f"origin\n0x1\n{ROOT}\n",
        f"origin\n{2**63}\n{ROOT}\n",
        f"origin\n{10**40}\n{ROOT}\n",
        "origin\n1\n\n",
        f"origin\n1\n{ROOT[:-1]}\n",
        f"origin\n1\n{ROOT[:-2]}B=\n",
        f"origin\n1\n {ROOT}\n",
        "origin\n1\nAAAA\n",
        "origin\n1\nnot base64!\n",
        "origin\n1\né\n",
        f"origin\n1\n{ROOT}\n\n",
        f"origin\n1\n{ROOT}\nextension\n\nmore\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(LedgerError):
        Checkpoint.parse(text)


@pytest.mark.parametrize("field", ["origin", "extensions"])
def test_a_line_cant_smuggle_in_another(field: str) -> None:
    lines = {"origin": ("a\nb", ()), "extensions": ("a", ("b\nc",))}[field]
    with pytest.raises(LedgerError):
        Checkpoint(lines[0], 1, bytes(32), lines[1])


def test_a_log_signs_for_itself_only() -> None:
    foreign = Checkpoint("logs.example/other", 1, bytes(32))
    with pytest.raises(LedgerError, match="signs its own checkpoints only"):
        sign_checkpoint(foreign, HALL)
    # And a key that signs for another log all the same isn't believed.
    with pytest.raises(LedgerError, match="names another log"):
        open_checkpoint(str(Note.sign(str(foreign), HALL)), KEY)


def test_witnesses_may_sign_beside_the_log() -> None:
    checkpoint = Checkpoint(HALL.name, 1, bytes(32), ("an extension",))
    witness = Signer("witness.example/1", b"w" * 32)
    note = str(Note.sign(str(checkpoint), witness, HALL))
    assert open_checkpoint(note, KEY) == checkpoint
