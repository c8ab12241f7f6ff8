"""The hall's keys: files of mode 0600 in a folder of mode 0700, each sealed but the one that seals them.

    wrapping.key          32 random bytes
    hall.json             the Ed25519 key that signs checkpoints, sealed under the wrapping key
    contract-<hash>.json  a contract's root key, 32 random bytes, sealed under the wrapping key
    run-<uuid>.json       the key of a run's raw files, 32 random bytes, sealed too; gone when the run ends
    platform-<hash>.json  the X25519 key that opens a platform's quarantine where it gave none of its own; sealed too
    party-<hash>.json     a key that a party signs with, see `core.partykeys`; sealed too
    abroad-<year>-<hash>.json  a provider's key of one calendar year, see `core.yearkeys`; sealed too

A root key is random and never derived from a master: destroying one file makes one contract's pseudonyms unlinkable
for good, and no other key tells anything about it. Sealing is AES-256-GCM with the key's name as associated data, so
that a file put in another's place doesn't open.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.digest import sha256_hex
from core.errors import IntegrityError, InternalError, StateError, UsageError
from core.files import create_whole, sync, write_whole
from core.ids import is_uuid
from core.sealing import OpeningKey

_KEY_BYTES = 32
_NONCE_BYTES = 12
_WRAPPING = "wrapping.key"
_SIGNER = "hall.json"
_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_RESTORE = "Put the whole key folder back from its backup; without it these keys are lost."


class ContractKeys:
    """Keys of one contract, all derived from its own root key. Can't be printed, copied or pickled."""

    __slots__ = ("_root", "contract_id")

    def __init__(self, contract_id: str, root: bytes) -> None:
        self.contract_id = contract_id
        self._root = root

    def derive(self, purpose: str, *context: str, length: int = 32) -> bytes:
        """`length` key bytes (1 to 8160) for one purpose and context, e.g. derive("pseudonym", "orders", "buyer_id").

        HKDF-SHA256 (RFC 5869). The info says "sluice/1", the length, the purpose and each part of the context, each
        behind its own byte count, so that no two calls share an info and a short key is no beginning of a long one.
        """
        if not purpose or not 1 <= length <= 255 * 32:
            raise InternalError("A derived key needs a purpose and a length from 1 to 8160 bytes.")
        parts = [part.encode() for part in ("sluice/1", str(length), purpose, *context)]
        info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(self._root)

    @property
    def fingerprint(self) -> str:
        """Names the root key, 64 hex digits; tells nothing of it."""
        return self.derive("fingerprint").hex()

    def __repr__(self) -> str:
        return f"ContractKeys({self.contract_id!r})"

    def __reduce__(self) -> NoReturn:
        raise InternalError("A contract's keys can't be copied or pickled.", remedy="Pass the contract's id.")


class FileKey:
    """The key of encrypted files, 32 bytes for AES-256. Can't be printed, copied or pickled. name: what an engine calls it."""

    __slots__ = ("_key", "name")

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise InternalError(f"A file key has {_KEY_BYTES} bytes.")
        self.name = f"key_{secrets.token_hex(8)}"
        self._key = key

    @classmethod
    def fresh(cls) -> FileKey:
        """A new random key."""
        return cls(secrets.token_bytes(_KEY_BYTES))

    def reveal(self) -> bytes:
        """The key itself, for the engine that reads or writes the file, and for nobody else."""
        return self._key

    def __repr__(self) -> str:
        return "FileKey(...)"

    def __reduce__(self) -> NoReturn:
        raise InternalError("A file key can't be copied or pickled.", remedy="Pass the run's id.")


class Signer:
    """An Ed25519 key with the name it signs under (the log's origin). `audit.note` makes notes of its signatures."""

    __slots__ = ("_key", "name", "public_key")

    def __init__(self, name: str, seed: bytes) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature (RFC 8032)."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    def __reduce__(self) -> NoReturn:
        raise InternalError("A signing key can't be copied or pickled.")


class KeyStore:
    """The keys of one hall in `folder`, made when they are first asked for. Safe for several processes at once.

    Raises StateError for a folder or file that others may read, or that can't be written; IntegrityError for a key
    that was changed, swapped, or sealed by another hall.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(folder, error) from None
        _refuse_loose(folder.stat().st_mode, folder, "700")

    def contract_keys(self, contract_id: str) -> ContractKeys:
        """The contract's keys. The first call for an id makes its random root."""
        file = self._contract_file(contract_id)
        name, root = self._sealed(file, "contract", lambda: contract_id)
        if name != contract_id:
            raise _wrong_seal(file)
        return ContractKeys(contract_id, root)

    def contract_key_there(self, contract_id: str) -> ContractKeys | None:
        """The contract's keys if its root is there; none is made."""
        file = self._contract_file(contract_id)
        return self.contract_keys(contract_id) if file.exists() else None

    def destroy_contract_key(self, contract_id: str, *, backups: Iterable[Path] = ()) -> int:
        """Destroys a contract's root key, here and in folders that are copies of this one; gives how many files it was in.

        What was pseudonymised under it can't be followed back to an id any more. Safe to call twice. A copy that nobody
        names here lives on: whoever brings it back brings the key back. Raises StateError.
        """
        name = self._contract_file(contract_id).name
        destroyed = 0
        for folder in (self._folder, *backups):
            file = folder / name
            try:
                draft = _draft_name(file)
                file.rename(draft)
                _shred(draft)
                sync(folder)
                destroyed += 1
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unusable(file, error) from None
        return destroyed

    def _contract_file(self, contract_id: str) -> Path:
        # The id is hashed only to be a safe file name; it stands in the file, and in the seal, as it is.
        return self._folder / f"contract-{sha256_hex(contract_id.encode())[:32]}.json"

    def make_run_key(self, run_id: str) -> FileKey:
        """The key of a run's raw files, made when it isn't there. run_id: the run's UUID."""
        return FileKey(self._sealed(self._run_file(run_id), "run", lambda: run_id)[1])

    def run_key(self, run_id: str) -> FileKey | None:
        """The key of a run's raw files; None when there is none: never made, or the run has ended."""
        file = self._run_file(run_id)
        try:
            name, key = self._open(file, "run")
        except FileNotFoundError:
            return None
        if name != run_id:
            raise _wrong_seal(file)
        return FileKey(key)

    def destroy_run_key(self, run_id: str) -> None:
        """Makes what was encrypted under a run's key unreadable for good; safe to call twice."""
        file = self._run_file(run_id)
        try:
            # Under a draft's name, so that a crash leaves no half key under its own; then over the bytes, since a deleted
            # file's blocks may lie about for long. On a full disk that can fail.
            draft = _draft_name(file)
            file.rename(draft)
            _shred(draft)
            sync(self._folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unusable(file, error) from None

    def runs_with_key(self) -> tuple[str, ...]:
        """The ids of the runs whose key is still there."""
        names = (file.stem.removeprefix("run-") for file in self._folder.glob("run-*.json"))
        return tuple(sorted(name for name in names if is_uuid(name)))  # no copy under another name is a run

    def _run_file(self, run_id: str) -> Path:
        return self._folder / f"run-{uuid.UUID(run_id)}.json"

    def platform_key(self, platform: str) -> OpeningKey:
        """The key of a platform that gave none of its own, made when it's first asked for. platform: its name."""
        file = self._folder / f"platform-{sha256_hex(platform.encode())[:32]}.json"
        name, secret = self._sealed(file, "platform", lambda: platform)
        if name != platform:
            raise _wrong_seal(file)
        return OpeningKey.from_bytes(secret)

    def signer(self, origin: str | None = None) -> Signer:
        """The hall's key for checkpoints. The first call gives it a name for good: `origin`, or a random one.

        Raises UsageError when the key already signs under another name than `origin`.
        """
        if origin is not None and not _ORIGIN.fullmatch(origin):
            raise UsageError("This can't be a log's name.", remedy="Take a name such as logs.example/hall-1.")
        file = self._folder / _SIGNER
        name, seed = self._sealed(file, "hall", lambda: origin or f"sluice-hall-{secrets.token_hex(4)}")
        if origin is not None and name != origin:
            raise UsageError(
                f"This hall signs its log as {name}, not as {origin}.",
                where=str(file),
                remedy="A log keeps its name; start another home for another name.",
            )
        return Signer(name, seed)

    def seal(self, file: str, use: str, name: str, secret: bytes) -> None:
        """Puts a secret under `file`, in place of one that's there: its bytes are written over. name: what the seal binds it to.

        An empty secret leaves the name alone, which the seal then vouches for.
        """
        path = self._folder / file
        document = self._document(use, name, secret)
        if not path.exists():
            self._create(path, document)
            return
        try:
            # A second name keeps the old bytes in reach until they're written over, and a crash leaves them under a draft's.
            draft = _draft_name(path)
            os.link(path, draft)
            write_whole(path, document)
            _shred(draft)
            sync(self._folder)
        except OSError as error:
            raise _unusable(path, error) from None

    def unseal(self, file: str, use: str) -> tuple[str, bytes] | None:
        """Name and secret of what `seal` put there; None when there is nothing."""
        try:
            return self._open(self._folder / file, use)
        except FileNotFoundError:
            return None

    def make_sealed(self, file: str, use: str, name: str) -> tuple[str, bytes]:
        """Name and secret of a sealed file, made of 32 random bytes when it isn't there; of several who make it, one does."""
        return self._sealed(self._folder / file, use, lambda: name)

    def sealed_files(self, prefix: str) -> tuple[str, ...]:
        """The names of the sealed files that begin so, in order."""
        return tuple(sorted(file.name for file in self._folder.glob(f"{prefix}*.json")))

    def _sealed(self, file: Path, use: str, name: Callable[[], str]) -> tuple[str, bytes]:
        """Name and secret of a sealed file; the file is made with a fresh secret under `name()` if it's missing.

        The seal binds the secret to `use` and name, so that no key does another's work.
        """
        if not file.exists():
            self._create(file, self._document(use, name(), secrets.token_bytes(_KEY_BYTES)))
        # Read it back even when just made: if another process was first, its key is the one.
        try:
            return self._open(file, use)
        except FileNotFoundError as error:
            raise _unusable(file, error) from None

    def _document(self, use: str, name: str, secret: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._wrapping_key()).encrypt(nonce, secret, f"{use}:{name}".encode())
        document = {"version": 1, "name": name, "nonce": nonce.hex(), "sealed": sealed.hex()}
        return json.dumps(document, ensure_ascii=False).encode()

    def _open(self, file: Path, use: str) -> tuple[str, bytes]:
        """Name and secret of a sealed file. Raises FileNotFoundError when it isn't there."""
        try:
            document = json.loads(_read_private(file))
            nonce, sealed = bytes.fromhex(document["nonce"]), bytes.fromhex(document["sealed"])
            stored = str(document["name"])
            secret = AESGCM(self._wrapping_key()).decrypt(nonce, sealed, f"{use}:{stored}".encode())
        except (ValueError, KeyError, TypeError, InvalidTag):
            raise _wrong_seal(file) from None
        return stored, secret

    def _wrapping_key(self) -> bytes:
        file = self._folder / _WRAPPING
        # Order matters: the wrapping key is always there before the first sealed file. So one that is missing after
        # sealed files were seen is lost, and a fresh one in its place would only hide that.
        if any(self._folder.glob("*.json")) and not file.exists():
            raise IntegrityError(
                "The wrapping key is gone, the keys that it seals are still here.",
                where=str(file),
                remedy=_RESTORE,
            )
        if not file.exists():
            self._create(file, secrets.token_bytes(_KEY_BYTES))
        key = _read_private(file)
        if len(key) != _KEY_BYTES:
            raise IntegrityError("The wrapping key is damaged.", where=str(file), remedy=_RESTORE)
        return key

    def _create(self, file: Path, content: bytes) -> None:
        """Makes `file` whole and durable, or leaves the one that somebody else just made."""
        try:
            with create_whole(file) as draft:
                draft.write_bytes(content)
        except OSError as error:
            raise _unusable(file, error) from None


def _draft_name(file: Path) -> Path:
    """What `core.files.remove_drafts` takes for a draft of `file`."""
    return file.with_name(f".{file.name}.{secrets.token_hex(8)}")


def _shred(file: Path) -> None:
    """Writes over a file's bytes, where the disk lets us, and removes it. Raises OSError."""
    with suppress(OSError), file.open("r+b") as sealed:
        sealed.write(secrets.token_bytes(os.fstat(sealed.fileno()).st_size))
        sealed.flush()
        os.fsync(sealed.fileno())
    file.unlink()


def _read_private(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            _refuse_loose(os.fstat(source.fileno()).st_mode, file, "600")
            return source.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(file, error) from None


def _refuse_loose(mode: int, path: Path, wanted: str) -> None:
    if stat.S_IMODE(mode) & 0o077:
        raise StateError(
            f"Others may read these keys (mode {stat.S_IMODE(mode):o}).",
            where=str(path),
            remedy=f"Run `chmod {wanted} {path}`, and replace the keys if others could log in here.",
        )


def _unusable(path: Path, error: OSError) -> StateError:
    return StateError(
        f"The keys can't be read or written: {error.strerror}.",
        where=str(path),
        remedy="Keep SLUICE_HOME on a local disk that this user owns.",
    )


def _wrong_seal(file: Path) -> IntegrityError:
    return IntegrityError(
        "A key file was changed, or sealed by another hall.", where=str(file), remedy=_RESTORE
    )
