"""``protech doctor``: what works on this machine, tried, and what to do about the rest."""

import json
import platform
import shutil
import sys
from base64 import b85decode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from importlib.util import find_spec
from typing import TextIO

from protech import RELEASED, __version__
from protech.errors import ProtechError
from protech.lists import kernel as index_kernel
from protech.lists.indexes import INDEXES, LOCK
from protech.models.registry import open_models
from protech.salus.engine import Engine
from protech.salus.policy import TRIAGE
from protech.sandbox import capability
from protech.settings import Places, private_directory

OLDEST_PYTHON = (3, 12)
OLD_AFTER_DAYS = 180
"""By then decoders have had repairs that matter to whoever opens hostile pictures."""

NOT_USABLE = 2

EXTRAS = {
    "guard": ("brotli", "fastapi", "granian", "jinja2", "mitmproxy", "starlette"),
    "locate": (
        *("duckdb", "fastapi", "granian", "jinja2", "libtorrent", "maxminddb", "pkcs11"),
        *("psycopg", "rfc3161_client", "starlette", "typst", "uvloop"),
    ),
}
"""The packages of each extra, as they are imported."""

PURPOSES = {"guard": "To protect a browser", "locate": "For an authorised unit"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

SAMPLES = {
    "jpeg": (
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*"
        "OI8bd-S6^ahXlFi6ad~iLcwA*?WB<Sa3kU!Z01yEI5di<h02BZL00000000000000000000|HJ?k5CH%H000"
        "0000000000000095m00;pA002J#0RPz"
    ),
    "png": (
        "iBL{Q4GJ0x0000DNk~Le0000G0000G2mk;806LhUy#N3J5lKWrRCwBBY+yhIObjDh005bg0H9FFLa+b;002o"
        "vPDHLkV1f"
    ),
    "gif": (
        "M@dFFH(?L}5CDMy0Dypi000000000004x9i000mG5CA|39RL9c97wRB!Gj1BDqP60p~Hs|BTAe|v7*I+0RaFz"
    ),
    "webp": ("Qb|Te9smFUS4BclR!}%h5dZ)HFAu;200&UO0v53Ufr#jT000"),
    "avif": (
        "0000WW^{RQVRmU|00000VRmU|ZE0pPZE0a<O+hh20002%ZDn*}000000000XXk=`10000000000aA{+70000"
        "00000000000000004sdC7Z2$lO000310016oY;R)#0000)000310RR910RR926951J9{>OVC~0YKW&i*H000"
        "31000_kZf0cy000000RRADb}%tRZ)|UJ00000YH4tCZ~y=ROKEUpZvX%Q6lrsCWdHyG000005C8xG5C8xG5O"
        "8UDX#fBK00RgJ2mk;83}JRLLxBJc000006Ju{|a&BX6cmM$a4FCp!0000NX>e^}0000000001009I60)qqq0"
        "01X#WMOm?0162h4FB37A)wHJG7uiehlN?+|Nr8^004D;W>^"
    ),
    "heic": (
        "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<0004eZDn*}000000000XXk=`10000000000aA{+7000000000"
        "00000000000B57=IV*mgE07O6l0RRC200001pa1~?00000000~S001LtX>Mi!000000RR916=`l}WdZ;I000"
        "310BCk&F#rGn01j|zbZr0t000010002|X>f9I0002oX>en20001WXm(>m0RwOV0058x000009`FGC{rLC*01"
        "pFT0096PKmiN^|NjGU00093kN^M!000939=ZZRVE_RDDMA4O18@KU0|1Z!00RI30{|YNAb|yz>aLpR;31&Ef"
        "B*mtfB*mk0EA)y0RRR>0l{;@i2wiq6Ju{|a&BX6cmM$a4FCp!0000KX>)L8000000000$0000$0000eV{Bn?"
        "0000G000010000G00001|NsBc00002|NsBc000020000GaA|mH000000|*ER0000OX>e^}0000000001009M"
        "o0s{qv0000aZDe6|0000OC;_ho5;)xWm7tO^tmiL0p<dqLk?@Lu"
    ),
    "tiff": (
        "Nl7XICIA2cfFK}HI3yMg2ZTalP`G3^9S?{^Vo^AxRxJa7fB*>q009F40RR915C8xG0RaO50RR915C8xG0s#X"
        "60RR912mk;80|5g70RR911poj51_1*A0RR910RR915dj1M0RR912mk;876AhQ0RR915C8xG7XbtS0RR919RL"
        "6T903CW0RR910RR9100000"
    ),
    "bmp": (
        "LQQ@E00000002G!001Ze000mG000mG000310RR91002M$006`e006`e00062000620000000960{{X700032"
        "00064000320006400032000640003200064000320006400032000640003200064000320000"
    ),
}
"""A grey square of 16 x 16 pixels in each format, base 85; made with Pillow 12."""


class State(StrEnum):
    """How a thing is: ``lacking`` makes Protech do less, ``broken`` makes it unusable."""

    GOOD = "good"
    LACKING = "lacking"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at, and what to do about it where it is not good."""

    name: str
    state: State
    found: str
    advice: str | None = None


def examine(*, is_json: bool, out: TextIO) -> int:
    """Try everything, print what came of it, and return 0 where Protech is usable."""
    checks = list(all_checks(today=datetime.now(UTC).date()))
    if is_json:
        out.write(json.dumps({"v": 1, "checks": [asdict(check) for check in checks]}) + "\n")
    else:
        out.writelines(map(_text, checks))
    is_usable = all(check.state is not State.BROKEN for check in checks)
    return 0 if is_usable else NOT_USABLE


def all_checks(*, today: date) -> Iterator[Check]:
    """Yield each check as it is done; the slow ones, which start workers, last."""
    yield version(today)
    yield python()
    yield kernel()
    yield places()
    yield lists()
    yield index_search()
    yield from map(part, EXTRAS)
    yield browser()
    yield from workers()
    yield models()


def version(today: date) -> Check:
    """Tell how old this version is by the date in the package; no network is asked."""
    days = max((today - date.fromisoformat(RELEASED)).days, 0)
    age = "1 day" if days == 1 else f"{days} days"
    is_old = days > OLD_AFTER_DAYS
    return Check(
        name="version",
        state=State.LACKING if is_old else State.GOOD,
        found=f"protech {__version__} of {RELEASED}, {age} old",
        advice="Look whether there is a newer one; its decoders are safer." if is_old else None,
    )


def python() -> Check:
    """Tell which Python runs."""
    is_new_enough = sys.version_info >= OLDEST_PYTHON
    return Check(
        name="python",
        state=State.GOOD if is_new_enough else State.BROKEN,
        found=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        advice=None if is_new_enough else "Install Python 3.12 or newer.",
    )


def kernel() -> Check:
    """Tell what the kernel offers to lock a worker with."""
    offered = capability()
    landlock = f"landlock ABI {offered.landlock_abi}" if offered.landlock_abi else "no landlock"
    seccomp = "seccomp" if offered.has_seccomp else "no seccomp"
    return Check(
        name="kernel",
        state=State.LACKING if offered.missing else State.GOOD,
        found=f"{platform.release()}: {landlock}, {seccomp}",
        advice="; ".join(offered.missing) or None,
    )


def places() -> Check:
    """Tell whether the directory of sockets can be private."""
    where = Places.of_user()
    try:
        where.make_runtime()
    except ProtechError as refused:
        return Check(
            name="runtime directory",
            state=State.LACKING,
            found="cannot be used; the guard needs it",
            advice=str(refused),
        )
    return Check(name="runtime directory", state=State.GOOD, found=str(where.runtime))


def lists() -> Check:
    """Tell how many indexes of known lists are kept, and whether they can be."""
    directory = Places.of_user().cache / INDEXES
    try:
        private_directory(directory)
        count = sum(path.name != LOCK for path in directory.iterdir())
    except ProtechError as refused:
        return Check(
            name="known lists",
            state=State.LACKING,
            found="each is indexed anew whenever it is opened",
            advice=str(refused),
        )
    return Check(
        name="known lists",
        state=State.GOOD if count else State.LACKING,
        found=f"{count} opened on this machine lately",
        advice=None if count else "Make one: protech lists make DIR --out LIST",
    )


def index_search() -> Check:
    """Tell what searches the lists."""
    found = index_kernel.name()
    is_compiled = found != index_kernel.NUMPY
    return Check(
        name="index search",
        state=State.GOOD if is_compiled else State.LACKING,
        found=found,
        advice=None if is_compiled else "Install gcc, then Protech again: it searches faster.",
    )


def part(name: str) -> Check:
    """Tell whether the packages of an extra are there."""
    missing = missing_for(name)
    if not missing:
        return Check(name=name, state=State.GOOD, found="its packages are installed")
    return Check(
        name=name,
        state=State.LACKING,
        found=f"not installed: {', '.join(missing)}",
        advice=f"{PURPOSES[name]}: pip install 'protech[{name}]'",
    )


def missing_for(name: str) -> list[str]:
    """Return the packages that an extra needs and that are not installed."""
    return [package for package in EXTRAS[name] if find_spec(package) is None]


def browser() -> Check:
    """Tell whether there is a browser for the demo."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return Check(
        name="browser",
        state=State.GOOD if found else State.LACKING,
        found=found or "none that the demo can drive",
        advice=None if found else "For `protech guard --demo`: apt install chromium",
    )


def workers() -> Iterator[Check]:
    """Start a worker, see that it is locked, and have it open a picture of each format."""
    try:
        with Engine.open(use_models=False, workers=1) as engine:
            yield Check(name="sandbox", state=State.GOOD, found="a worker locked itself")
            failed = [name for name, sample in SAMPLES.items() if not _opens(engine, sample)]
    except ProtechError as refused:
        yield Check(
            name="sandbox",
            state=State.BROKEN,
            found="no worker could be locked; pictures are not opened without",
            advice=str(refused),
        )
        return
    works = [name for name in SAMPLES if name not in failed]
    yield Check(
        name="formats",
        state=State.BROKEN if not works else State.LACKING if failed else State.GOOD,
        found=f"{', '.join(works) or 'none'} open inside the sandbox",
        advice=f"Install Protech again; these do not: {', '.join(failed)}" if failed else None,
    )


def models() -> Check:
    """Tell which models there are, and whether a locked worker can score with them."""
    try:
        found = open_models()
        if found is None:
            return Check(
                name="models",
                state=State.LACKING,
                found="none: only known lists protect",
                advice="In a checkout: python tools/build_models.py",
            )
        with Engine.open(workers=1, settings=TRIAGE) as engine:
            frames = engine.inspect(b85decode(SAMPLES["png"])).findings.frames
    except ProtechError as refused:
        return Check(
            name="models", state=State.BROKEN, found="cannot be used", advice=str(refused)
        )
    is_scored = bool(frames) and frames[0].scores is not None
    return Check(
        name="models",
        state=State.GOOD if is_scored else State.BROKEN,
        found=", ".join(f"{task} {name}" for task, name in found.ids),
        advice=None if is_scored else "They gave no score; install Protech again.",
    )


def _opens(engine: Engine, sample: str) -> bool:
    findings = engine.inspect(b85decode(sample)).findings
    return findings.unscannable is None and len(findings.frames) == 1


def _text(check: Check) -> str:
    line = f"{check.state:<8} {check.name:<18} {check.found}\n"
    return line + (f"{'':<27} -> {check.advice}\n" if check.advice else "")
