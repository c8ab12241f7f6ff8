"""Where published contracts stand: a folder of `*.odcs.yaml` files, one contract each."""

from __future__ import annotations

from pathlib import Path

from contracts.model import Contract
from contracts.odcs import load_contract
from core.errors import ContractError, UsageError

PATTERN = "*.odcs.yaml"


def find_contract(ref: str, folder: Path) -> Contract:
    """The contract that `ref` names: a file's path, a file's name in `folder` without `.odcs.yaml`, or a contract's id.

    Raises UsageError when there's none, ContractError when the file has problems or two files have the same id.
    """
    path = Path(ref)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        if not path.is_file():
            raise UsageError(f"There is no contract file {ref}.", remedy="Check the path.")
        return load_contract(path)
    by_name = folder / f"{ref}.odcs.yaml"
    if Path(ref).name == ref and by_name.is_file():
        contract = load_contract(by_name)
        if contract.id == ref:
            return contract
    found = []
    for candidate in sorted(folder.glob(PATTERN)):
        try:
            contract = load_contract(candidate)
        except ContractError:
            continue  # another contract's problems are told when that one is asked for
        if contract.id == ref:
            found.append(contract)
    if len(found) > 1:
        files = ", ".join(str(contract.path) for contract in found)
        raise ContractError(f"Several files hold a contract {ref}: {files}.", remedy="Keep one of them.")
    if found:
        return found[0]
    names = ", ".join(file.name.removesuffix(".odcs.yaml") for file in sorted(folder.glob(PATTERN))) or "none"
    raise UsageError(
        f"No published contract is called {ref}.",
        where=str(folder),
        remedy=f"There are: {names}. Or give the path of a file.",
    )
