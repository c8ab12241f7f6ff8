"""A small hall with a past, and calls of `sluice` in it: what `make` keeps in an archive and the tests open again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa

from catalog.release import Release
from cli.main import main
from contracts.life.negotiation import Side
from contracts.life.state import Turn
from contracts.parties.moment import LogPosition
from contracts.shelf import find_contract
from core.digest import file_digest
from core.errors import ExitCode
from core.partykeys import Reason
from core.settings import Settings
from core.tokenkeys import file_name, make_token_key
from pipeline.agreements.desk import Desk
from pipeline.agreements.effects import settle
from pipeline.agreements.keyfile import KeyUse, create_key, revoke_key
from pipeline.agreements.thresholds import thresholds_of
from pipeline.home import Home
from pipeline.tokens import LentKeys, open_tokens
from privacy.subjects.columns import pseudonym_key
from privacy.subjects.tokens import token_makers
from privacy.transforms.pseudonym import pseudonymize
from tests import signed
from tests.shop import open_shop, raw_member

CONTRACT, KILLED = "small-shop", 9
GOODS = (Path(__file__).parent.parent / "data" / "goods.odcs.yaml").read_text(encoding="utf-8")
# Two windows that are published, one that clashes with both and is refused, one whose run was killed on the way.
PUBLISHED = (("2026-01-01", "2026-05-01"), ("2026-05-01", "2026-09-01"))
REFUSED, CUT_OFF = ("2026-03-01", "2026-06-01"), ("2026-09-01", "2027-01-01")
QUERIES = (
    "SELECT goods, sum(pieces) AS pieces, count(*) AS cells FROM {release}.orders GROUP BY 1 ORDER BY 1",
    "SELECT count(*) AS rows, count(DISTINCT member) AS members, min(member) AS least FROM {release}.members",
    "SELECT born, town, count(*) AS rows FROM {release}.members GROUP BY ALL ORDER BY ALL",
)
# What else an operator asks, as words of `sluice`; {release} stands for each release in turn.
ASKED = (("catalog", "list"), ("catalog", "show", "{release}"))
# A run that dies where validation would begin: its raw data, its key and its handoffs stay behind.
_CUT = f"""
import os, sys, pipeline.route, tests.signed  # its registry is fresh for longer than one in use may be
pipeline.route.validate = lambda *_, **__: os._exit({KILLED})
from cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Hall:
    """A SLUICE_HOME (`home`) and the platform's contract and data (`shop`) in one folder."""

    folder: Path

    @property
    def home(self) -> Path:
        """All state of the hall."""
        return self.folder / "home"

    @property
    def shop(self) -> Path:
        """The contract and its source."""
        return self.folder / "shop"

    def call(self, *words: str, code: int = ExitCode.DONE) -> str:
        """What `sluice` prints on standard output."""
        out = io.StringIO()
        with mock.patch.dict(os.environ, self._environment()), contextlib.redirect_stdout(out):
            ended = main(words)
        assert ended == code, f"sluice {' '.join(words)} ended with {ended}: {out.getvalue()}"
        return out.getvalue()

    def ask(self, *words: str, code: int = ExitCode.DONE) -> Any:
        """What `sluice` prints as JSON."""
        return json.loads(self.call(*words, "--json", code=code))

    def run(self, window: tuple[str, str], *, code: int = ExitCode.DONE) -> Any:
        """One run of the contract over a window of whole days."""
        return self.ask("run", CONTRACT, "--start", window[0], "--end", window[1], code=code)

    def cut_off(self, window: tuple[str, str]) -> None:
        """A run whose process was killed when the data had come."""
        done = subprocess.run(
            [sys.executable, "-c", _CUT, "run", CONTRACT, "--start", window[0], "--end", window[1]],
            env={**os.environ, **self._environment()}, capture_output=True, text=True, check=False,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
        assert done.returncode == KILLED, done.stderr

    def open(self) -> Home:
        """The hall's rooms."""
        return Home.open(Settings(home=self.home, contracts=self.shop), create=False)

    def _environment(self) -> dict[str, str]:
        return {"SLUICE_HOME": str(self.home), "SLUICE_CONTRACTS": str(self.shop)}


def live(hall: Hall) -> dict[str, Any]:
    """Gives a hall its past, with the code of the day; returns what must hold of it from then on.

    The shop is opened when there is none. The last thing that happens is the run that is killed: nothing opens the
    hall after that, so that its leftovers are there.
    """
    if not hall.shop.exists():
        open_shop(hall.shop)
    shop = _sign(hall)
    for window in PUBLISHED:
        assert hall.run(window)["new"]
    assert hall.run(REFUSED, code=ExitCode.REFUSED)["error"] == "PrivacyError"
    # The platform's engineer looks at the rows that the first run set aside, and takes them; those of the second stay.
    [taken, *_] = [each["id"] for each in hall.ask("quarantine", "list")]
    hall.ask("quarantine", "show", taken, "--rows", "1")
    hall.ask("quarantine", "release", taken, "--to", str(hall.folder / "handed out"))
    _agree(hall, shop)
    _own_words(hall)
    _tokens(hall)
    held = what_holds(hall)
    hall.cut_off(CUT_OFF)
    return held


def _sign(hall: Hall) -> str:
    """The shop's contract is signed, without which no run begins; returns the agreement's id."""
    settings = Settings(home=hall.home, contracts=hall.shop)
    signed.trust(settings)
    home = Home.open(settings)
    shop = signed.conclude(home, hall.shop / f"{CONTRACT}.odcs.yaml").made.id
    settle(home)
    return shop


def _agree(hall: Hall, shop: str) -> None:
    """Contracts are stopped, come, and go: the shop's, which holds in the end, and one over its goods that doesn't."""
    (hall.shop / "data" / "goods.csv").write_text("id,name\n1,tea\n2,rice\n3,soap\n", encoding="utf-8")
    home = hall.open()
    desk = Desk(home)
    for turn in (Turn.SUSPEND, Turn.RESUME):
        desk.turn(shop, turn, side=Side.CONSUMER, signer=signed.KEYS[Side.CONSUMER])
        settle(home)
    for version, span in (("1.0.0", 36_500), ("2.0.0", 9_000)):  # the second is over before it's concluded
        goods = hall.shop / "goods-list.odcs.yaml"
        goods.write_text(GOODS.replace("version: 1.0.0", f"version: {version}"), encoding="utf-8")
        made = signed.conclude(home, goods, end=signed.ALWAYS[0] + timedelta(days=span)).made
        if span > 10_000:
            hall.ask("run", "goods-list")
        settle(home)
    signed.begin(home, goods, side=Side.CONSUMER, version="3.0.0", ended=True)
    desk.turn(made.id, Turn.TERMINATE, side=Side.PROVIDER, signer=signed.KEYS[Side.PROVIDER])
    settle(home)
    goods.unlink()


def _own_words(hall: Hall) -> None:
    """What a hall says of itself alone: a key made and ended, numbers of its own."""
    home = hall.open()
    key = create_key(home, signed.PLATFORM, use=KeyUse.CONTRACTS).key.key_id
    good = LogPosition(origin=home.keys.signer().name, size=home.ledger.size)
    revoke_key(home, key, reason=Reason.COMPROMISE, last_good=(good,))
    table = hall.shop / "thresholds.yaml"
    table.write_text(
        "level3LargestRisk: {value: 0.25, reason: as in the register, who: legal, when: '2026-06-01'}\n",
        encoding="utf-8",
    )
    thresholds_of(Home.open(replace(home.settings, thresholds=table)))
    table.unlink()
    thresholds_of(home)  # ours again


def _tokens(hall: Hall) -> None:
    """A second holder's key made tokens here once, and both holders open one."""
    home, raw = hall.open(), hall.shop / f"{CONTRACT}.odcs.yaml"
    text = raw.read_text(encoding="utf-8")
    word = "{property: sluiceTransform, value: pseudonym}"
    assert word in text
    path, key = hall.folder / "tokens.odcs.yaml", hall.folder / file_name(CONTRACT, "notary-office")
    path.write_text(text.replace(word, "{property: sluiceTransform, value: {kind: token, holder: notary-office}}"), encoding="utf-8")  # fmt: skip
    make_token_key(key, contract_id=CONTRACT, holder="notary-office")
    contract = find_contract(str(path), hall.shop)
    lent = LentKeys(contract, replace(home, settings=replace(home.settings, token_keys=hall.folder)))
    makers = token_makers(contract, contract.table("members"), home.keys.contract_keys(CONTRACT), lent)
    [token] = makers["member"](pa.array([raw_member(0)])).to_pylist()
    lent.keep()
    assert open_tokens(home, contract, "members.member", [token], key_file=key, purpose="recall of lot 17") == [raw_member(0)]  # fmt: skip


def what_holds(hall: Hall) -> dict[str, Any]:
    """All that an operator and an auditor see of the hall, as JSON; asking leaves its trace in the ledger."""
    releases = hall.ask("catalog", "list", "--all")
    names = [each["release"] for each in releases]
    asked = [[word.format(release=name) for word in words] for name in names for words in ASKED]
    shown = [each["release"] for each in releases if "withheld" not in each]
    queries = [query.format(release=name) for name in shown for query in QUERIES]
    answers = [{"sql": sql, "rows": hall.ask("catalog", "query", sql)} for sql in queries]
    told = [{"words": words, "answer": _without_uris(hall.ask(*words))} for words in _once(asked)]
    home = hall.open()
    kept = hall.folder / "kept.checkpoint"
    verified = hall.ask("audit", "verify", "--save", str(kept))
    return {
        "releases": _without_uris(releases),
        "asked": told,
        "digests": {each.release: _digests(each) for each in home.catalog.releases(all=True)},
        "documents": {
            each: {name: file_digest(path) for name, path in home.catalog.documents(each).items()}
            for each in names
        },
        "queries": answers,
        "ledger": {
            "checkpoint": kept.read_text(encoding="utf-8"),
            **{name: verified[name] for name in ("entries", "root", "key", "releases", "files")},
            "leaves": leaves(hall),
        },
        "pseudonym": {"raw": raw_member(0), "is": pseudonym(hall, raw_member(0))},
        "windows": {"published": PUBLISHED, "refused": REFUSED, "cut_off": CUT_OFF},
    }


def leaves(hall: Hall) -> list[list[str]]:
    """Kind and leaf hash of each entry of the ledger."""
    entries = hall.ask("audit", "log", "--limit", "1000000")
    return [[each["event"]["run"]["facets"]["sluice"]["kind"], each["leaf_hash"]] for each in entries]


def pseudonym(hall: Hall, raw: str) -> str:
    """The pseudonym, hex, that a member's raw name has in this hall's releases."""
    contract = find_contract(CONTRACT, hall.shop)
    key = pseudonym_key(
        hall.open().keys.contract_keys(contract.id), contract, contract.table("members").column("member")
    )
    [value] = pseudonymize(pa.array([raw]), key).to_pylist()
    return str(value.hex())


def _once(asked: list[list[str]]) -> list[list[str]]:
    return [words for number, words in enumerate(asked) if words not in asked[:number]]


def _digests(release: Release) -> dict[str, str]:
    return {"": release.digest, **{table.name: table.sha256 for table in release.tables}}


def _without_uris(told: Any) -> Any:
    """Without the places where tables lie: a home may be moved."""
    if isinstance(told, Mapping):
        return {name: _without_uris(value) for name, value in told.items() if name != "uri"}
    return [_without_uris(each) for each in told] if isinstance(told, list) else told


def unpack(archive: Path, folder: Path) -> Hall:
    """The hall in an archive, at a path that it was never at, folders 0700 and files 0600 as a hall has them."""
    folder.mkdir(mode=0o700, parents=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return Hall(folder)


def pack(hall: Hall, archive: Path) -> None:
    """Home and shop in one archive that says nothing of who made it where."""

    def nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        return info

    with tarfile.open(archive, "w:gz", compresslevel=9) as packed:
        for part in (hall.home, hall.shop):
            packed.add(part, arcname=part.name, filter=nobody)
