"""What vantages share, as far as no server is needed; the rest is in e2e/test_locate_scale."""

from collections.abc import Callable
from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.locate.limits import Politeness
from protech.locate.sharing import shared_courtesy, shared_leases, shared_tally
from protech.locate.vault import Vault

VAULT = Vault(bytes(32), purpose="shared")


@pytest.mark.parametrize(
    "share",
    [
        lambda where: shared_leases(where, vault=VAULT),
        lambda where: shared_courtesy(where, vault=VAULT, politeness=Politeness()),
        lambda where: shared_tally(where, vault=VAULT),
    ],
)
def test_a_server_that_is_not_there_is_an_error(
    share: Callable[[str], object], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        share(f"host={tmp_path} dbname=none")
