"""Seals open with the private key, in the context they were made in, and in no other way; key files are what they say."""

from __future__ import annotations

import pickle
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from core.errors import IntegrityError, InternalError, UsageError
from core.keys import KeyStore
from core.sealing import OpeningKey, read_opening_key, read_sealing_key

SECRET = bytes(range(32))


@pytest.fixture
def key() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def private_pem(path: Path, key: X25519PrivateKey | Ed25519PrivateKey, passphrase: bytes = b"") -> Path:
    path.touch(0o600)
    path.write_bytes(
        key.private_bytes(
            Encoding.PEM,
            PrivateFormat.PKCS8,
            BestAvailableEncryption(passphrase) if passphrase else NoEncryption(),
        )
    )
    return path


def public_pem(path: Path, key: X25519PrivateKey | Ed25519PrivateKey) -> Path:
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    path.chmod(0o644)
    return path


def test_a_seal_is_opened_by_its_key_in_its_context(tmp_path: Path, key: X25519PrivateKey) -> None:
    opening = read_opening_key(private_pem(tmp_path / "private.pem", key))
    sealing = read_sealing_key(public_pem(tmp_path / "public.pem", key))
    sealed = sealing.seal(SECRET, context=b"here")
    assert opening.open(sealed, context=b"here") == SECRET
    assert sealing.seal(SECRET, context=b"here") != sealed
    assert SECRET not in sealed
    assert sealing.name == opening.sealing_key.name
    for wrong in (
        lambda: opening.open(sealed, context=b"there"),
        lambda: opening.open(sealed[:-1], context=b"here"),
        lambda: opening.open(bytes([sealed[0] ^ 1]) + sealed[1:], context=b"here"),
        lambda: opening.open(bytes(80), context=b"here"),
        lambda: opening.open(b"", context=b"here"),
        lambda: OpeningKey.from_bytes(bytes(32)).open(sealed, context=b"here"),
    ):
        with pytest.raises(IntegrityError, match="A seal doesn't open"):
            wrong()


def test_it_is_hpke_with_x25519_and_aes_256(key: X25519PrivateKey) -> None:
    """RFC 9180's suite (0x0020, 0x0001, 0x0002), so that other programs open it too."""
    opening = OpeningKey.from_bytes(key.private_bytes_raw())
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    assert suite.decrypt(opening.sealing_key.seal(SECRET, context=b"c"), key, b"c") == SECRET
    assert opening.open(suite.encrypt(SECRET, key.public_key(), b"c"), context=b"c") == SECRET


def test_a_private_key_is_not_shown_or_copied(key: X25519PrivateKey) -> None:
    opening = OpeningKey.from_bytes(key.private_bytes_raw())
    assert repr(opening) == "OpeningKey(...)"
    with pytest.raises(InternalError):
        pickle.dumps(opening)


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path: Path, key: X25519PrivateKey) -> None:
    path = private_pem(tmp_path / "private.pem", key, b"open sesame")
    assert read_opening_key(path, lambda: "open sesame").sealing_key.name
    for asked in (None, lambda: "wrong", lambda: ""):
        with pytest.raises(UsageError, match="No X25519 private key"):
            read_opening_key(path, asked)
    plain = private_pem(tmp_path / "plain.pem", key)
    assert read_opening_key(plain, lambda: pytest.fail("asked")).sealing_key.name


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_private_key_that_others_may_read_is_refused(
    tmp_path: Path, key: X25519PrivateKey, mode: int
) -> None:
    path = private_pem(tmp_path / "private.pem", key)
    path.chmod(mode)
    with pytest.raises(UsageError, match=f"Others may read this private key \\(mode {mode:o}\\)"):
        read_opening_key(path)


def test_a_public_key_that_others_may_replace_is_refused(tmp_path: Path, key: X25519PrivateKey) -> None:
    path = public_pem(tmp_path / "public.pem", key)
    path.chmod(0o664)
    with pytest.raises(UsageError, match=r"Others may put another public key here \(mode 664\)"):
        read_sealing_key(path)


def test_another_kind_of_key_is_told(tmp_path: Path, key: X25519PrivateKey) -> None:
    other = Ed25519PrivateKey.generate()
    with pytest.raises(UsageError, match="No X25519 private key"):
        read_opening_key(private_pem(tmp_path / "a.pem", other))
    with pytest.raises(UsageError, match="No X25519 private key"):
        read_opening_key(private_pem(tmp_path / "a.pem", other).with_name("a.pem"))
    with pytest.raises(UsageError, match="no X25519 public key"):
        read_sealing_key(public_pem(tmp_path / "b.pem", other))
    with pytest.raises(UsageError, match="This is a private key, and who seals must not have it"):
        read_sealing_key(private_pem(tmp_path / "c.pem", key))
    (tmp_path / "d.pem").write_text("no key")
    (tmp_path / "d.pem").chmod(0o600)
    with pytest.raises(UsageError):
        read_sealing_key(tmp_path / "d.pem")
    with pytest.raises(UsageError):
        read_opening_key(tmp_path / "d.pem")
    for missing in (tmp_path / "e.pem", tmp_path):
        with pytest.raises(UsageError, match="The key can't be read"):
            read_sealing_key(missing)
        with pytest.raises(UsageError, match="The key can't be read"):
            read_opening_key(missing)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl isn't here")
def test_the_commands_of_the_manual_make_a_pair(tmp_path: Path) -> None:
    for command in (
        "genpkey -algorithm X25519 -out private.pem",
        "pkey -in private.pem -pubout -out public.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "public.pem").chmod(0o644)
    sealed = read_sealing_key(tmp_path / "public.pem").seal(SECRET, context=b"")
    assert read_opening_key(tmp_path / "private.pem").open(sealed, context=b"") == SECRET


def test_a_platform_without_a_key_has_one_of_the_halls(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "keys")
    sealed = store.platform_key("a platform").sealing_key.seal(SECRET, context=b"c")
    assert KeyStore(tmp_path / "keys").platform_key("a platform").open(sealed, context=b"c") == SECRET
    assert store.platform_key("another").sealing_key.name != store.platform_key("a platform").sealing_key.name
    [one, other] = sorted((tmp_path / "keys").glob("platform-*.json"))
    assert one.stat().st_mode & 0o777 == 0o600
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    with pytest.raises(IntegrityError):
        [store.platform_key(name) for name in ("a platform", "another")]
    one.write_bytes(data)
    assert store.platform_key("a platform").open(sealed, context=b"c") == SECRET
