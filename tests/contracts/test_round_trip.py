"""Every contract comes back from JSON as it went, whatever it holds."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.base import Contract, canonical_json
from contracts.errors import ContractViolation
from contracts.schemas import contract_types
from tests.contracts.strategies import documents

# Deep contracts take long to draw; the number of examples keeps the whole file to some seconds.
examples = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
every_contract = pytest.mark.parametrize("contract", contract_types(), ids=lambda contract: contract.__name__)


@pytest.mark.requirement("S55")
@every_contract
@examples
@given(data=st.data())
def test_json_gives_back_an_equal_contract(contract: type[Contract], data: Any) -> None:
    value = contract.parse(data.draw(documents(contract)))
    again = contract.parse_json(value.model_dump_json())
    assert again == value
    assert again.schema_version == contract.VERSION
    assert canonical_json(again.model_dump(mode="json")) == canonical_json(value.model_dump(mode="json"))


@every_contract
def test_an_unknown_key_is_refused(contract: type[Contract]) -> None:
    with pytest.raises(ContractViolation, match="colour: Extra inputs are not permitted"):
        contract.parse({"colour": "red"})


@every_contract
def test_a_newer_version_is_refused(contract: type[Contract]) -> None:
    newer = contract.VERSION + 1
    with pytest.raises(ContractViolation, match=f"got {newer}; it was written by a newer Sparkle"):
        contract.parse({"schema_version": newer})


@every_contract
def test_a_contract_is_frozen_and_closed(contract: type[Contract]) -> None:
    assert contract.model_config.get("frozen") is True
    assert contract.model_config.get("extra") == "forbid"
    assert contract.model_config.get("allow_inf_nan") is False
