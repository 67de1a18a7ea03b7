from protech.locate.report.case import Socket
from protech.locate.report.reading import read
from tests.locate_case import CASE_NAME, CaseMaker


def test_an_end_of_a_connection_is_written_with_its_port() -> None:
    assert Socket(address="198.18.0.1", port=6881).text == "198.18.0.1:6881"
    assert Socket(address="2001:db8::1", port=6881).text == "[2001:db8::1]:6881"
    assert "198.18" not in repr(Socket(address="198.18.0.1", port=1))


def test_a_case_is_of_the_laboratory_where_any_run_is() -> None:
    real = CaseMaker(is_lab=False)
    assert not read(real.numbered).is_lab
    real.records += CaseMaker().records
    case = read(real.numbered)
    assert case.is_lab
    assert case.name == CASE_NAME
