"""Faces drawn by code, with the truth about their mouths: for sheets, calibration and tests. Nobody's likeness.

Shaded enough for a cascade to find them: bright forehead, nose and cheeks, dark sockets, brows and lips. Many faces
come from few choices: skin, mouth, hair on the lip or the chin, glasses, the head's roll and turn.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

Bgr = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SKINS = {
    "pale": (188, 205, 236),
    "light": (150, 178, 222),
    "tan": (105, 142, 196),
    "brown": (72, 102, 158),
    "dark": (48, 66, 104),
}
"""BGR under even light."""
MOUTHS = ("closed", "thin", "full", "smile", "parted", "wide")
SIDE_PX = 480
FACE_HALF_WIDTH = 0.20  # of the picture's side
EYE_LINE, MOUTH_LINE = -0.07, 0.128  # below the picture's centre, of its side
MOUTH_HALF_WIDTH = 0.078


@dataclass(frozen=True)
class DrawnFace:
    """What is drawn; ``turn`` -1..1 moves the features sideways as a turned head does, 0.5 is about 25 degrees."""

    skin: str = "light"
    mouth: str = "closed"
    moustache: bool = False
    beard: bool = False
    glasses: bool = False
    hand: bool = False
    roll_degrees: float = 0.0
    turn: float = 0.0
    light: float = 0.0
    """-1..1: brighter on the left or on the right."""
    blur_px: float = 0.8
    seed: int = 0

    @property
    def name(self) -> str:
        extras = [name for name in ("moustache", "beard", "glasses", "hand") if getattr(self, name)]
        turned = [f"turn {self.turn:+.1f}"] if self.turn else []
        rolled = [f"roll {self.roll_degrees:+.0f}"] if self.roll_degrees else []
        return " ".join([self.skin, self.mouth, *extras, *turned, *rolled])

    def mouth_centre_px(self, side_px: int = SIDE_PX) -> tuple[float, float]:
        """Middle between the corners."""
        x, y = self.turn * 0.075 * side_px, MOUTH_LINE * side_px
        cos, sin = math.cos(math.radians(self.roll_degrees)), math.sin(math.radians(self.roll_degrees))
        return side_px / 2 + x * cos - y * sin, side_px / 2 + x * sin + y * cos

    def mouth_half_width_px(self, side_px: int = SIDE_PX) -> float:
        wider = {"smile": 1.18, "wide": 0.92}.get(self.mouth, 1.0)
        return MOUTH_HALF_WIDTH * wider * (1 - 0.25 * abs(self.turn)) * side_px


def draw_face(face: DrawnFace, side_px: int = SIDE_PX) -> Bgr:
    """uint8 (side_px, side_px, 3)."""
    pen = _Pen(face, side_px)
    pen.background_and_body()
    pen.head()
    pen.eyes()
    pen.nose()
    pen.mouth()
    pen.hair_on_face()
    if face.glasses:
        pen.glasses()
    if face.hand:
        pen.hand()
    return pen.finished()


def with_mouths(face: DrawnFace) -> list[DrawnFace]:
    return [replace(face, mouth=mouth) for mouth in MOUTHS]


class _Pen:
    """Draws in shares of the picture's side, origin in its centre, upright; the roll comes last."""

    def __init__(self, face: DrawnFace, side_px: int) -> None:
        self._face = face
        self._side = side_px
        grid = (np.arange(side_px, dtype=np.float32) + 0.5) / side_px - 0.5
        self._x, self._y = np.meshgrid(grid, grid)
        self._chance = np.random.default_rng(face.seed + 1)
        self._skin = np.array(SKINS[face.skin], np.float32)
        self._picture = np.zeros((side_px, side_px, 3), np.float32)
        self._shift = 0.075 * face.turn

    def background_and_body(self) -> None:
        tone = self._chance.uniform(70, 190, 3).astype(np.float32)
        self._picture[:] = tone * (1 + 0.3 * self._y)[..., None]
        hair = self._chance.uniform(20, 70, 3).astype(np.float32)
        self._blend(self._blob(0, -0.09, 0.255, 0.29, 0.04), hair)
        shirt = self._chance.uniform(30, 150, 3).astype(np.float32)
        self._blend(self._blob(0, 0.62, 0.40, 0.25, 0.02), shirt)
        self._blend(self._blob(0, 0.33, 0.11, 0.16, 0.05), self._skin * np.float32(0.78))

    def head(self) -> None:
        shade = 1 - 0.35 * (self._x / FACE_HALF_WIDTH) ** 2 + 0.25 * self._face.light * self._x / FACE_HALF_WIDTH
        shade -= 0.3 * np.clip(self._y - 0.17, 0, 1) / 0.1 * 0.3
        self._blend(self._blob(0, 0.0, FACE_HALF_WIDTH, 0.265, 0.05), self._skin * np.clip(shade, 0.3, 1.2)[..., None])
        for side in (-1, 1):
            cheek = 0.25 * self._blob(0.10 * side + self._shift, 0.045, 0.05, 0.05, 1.0)
            self._blend(cheek, self._skin * np.float32(1.15))

    def eyes(self) -> None:
        for side in (-1, 1):
            x = 0.083 * side * (1 - 0.12 * abs(self._face.turn)) + self._shift
            self._blend(0.55 * self._blob(x, EYE_LINE - 0.012, 0.062, 0.040, 0.9), self._skin * np.float32(0.45))
            self._blend(self._blob(x, EYE_LINE, 0.036, 0.0135, 0.25), np.array((215, 222, 225), np.float32))
            self._blend(self._blob(x, EYE_LINE, 0.0145, 0.0145, 0.2), np.array((35, 40, 48), np.float32))
            self._blend(self._blob(x, EYE_LINE - 0.015, 0.038, 0.004, 0.6), np.array((25, 25, 30), np.float32))
            self._blend(self._blob(x, EYE_LINE - 0.042, 0.050, 0.011, 0.6), self._skin * np.float32(0.28))

    def nose(self) -> None:
        x = self._shift * 1.25
        self._blend(0.35 * self._blob(x, -0.01, 0.016, 0.075, 0.9), self._skin * np.float32(1.2))
        for side in (-1, 1):
            self._blend(0.35 * self._blob(x + 0.03 * side, 0.015, 0.016, 0.05, 0.9), self._skin * np.float32(0.6))
            self._blend(0.8 * self._blob(x + 0.018 * side, 0.060, 0.011, 0.006, 0.5), self._skin * np.float32(0.35))

    def mouth(self) -> None:
        kind = self._face.mouth
        half = self._face.mouth_half_width_px(self._side) / self._side
        u = (self._x - self._shift) / half
        room = np.clip(1 - u * u, 0, 1)
        curve = {"smile": 0.030, "closed": 0.004}.get(kind, 0.0)
        line = MOUTH_LINE + curve * room - curve * 0.6
        gap = {"smile": 0.034, "parted": 0.022, "wide": 0.115}.get(kind, 0.0) * room**0.8
        full = {"thin": 0.55, "full": 1.35}.get(kind, 1.0)
        upper, lower = line - 0.35 * gap, line + 0.65 * gap
        lips = self._skin * np.array((0.72, 0.62, 0.88), np.float32)
        soft = 1.2 / self._side
        top, bottom = upper - 0.024 * full * room**0.7, lower + 0.030 * full * room**0.7
        self._blend(_between(self._y, top, bottom, soft * 2) * (np.abs(u) < 1), lips)
        inside = _between(self._y, upper, lower, soft) * (np.abs(u) < 0.97) * (gap > 0.004)
        self._blend(inside, np.array((22, 20, 42), np.float32))
        if kind in {"smile", "wide"}:
            teeth = _between(self._y, upper + 0.001, np.minimum(lower, upper + 0.024), soft) * (np.abs(u) < 0.86)
            self._blend(inside * teeth, np.array((186, 204, 214), np.float32))
        seam = np.exp(-(((self._y - line) / 0.0045) ** 2)) * np.clip((1.03 - np.abs(u)) / 0.08, 0, 1) * (gap <= 0.004)
        self._blend(0.75 * seam, self._skin * np.array((0.26, 0.20, 0.48), np.float32))
        crease = 0.3 * self._blob(self._shift, float(bottom.max()) + 0.016, 0.045, 0.010, 0.9)
        self._blend(crease, self._skin * np.float32(0.6))

    def hair_on_face(self) -> None:
        rough = 1 + 0.35 * self._noise(1.2)
        dark = self._skin * np.float32(0.25) + np.float32(8)
        if self._face.beard:
            ring = self._blob(0, 0.07, FACE_HALF_WIDTH, 0.20, 0.1) * np.clip((self._y - 0.18) / 0.03, 0, 1)
            self._blend(0.9 * ring, dark * rough[..., None])
        if self._face.moustache:
            x = self._x - self._shift
            droop = MOUTH_LINE - 0.022 + 1.2 * x * x
            hair = _between(self._y, droop - 0.026, droop + 0.026, 0.006) * np.clip((0.098 - np.abs(x)) / 0.02, 0, 1)
            self._blend(0.95 * hair, dark * rough[..., None])

    def glasses(self) -> None:
        for side in (-1, 1):
            x, y = (self._x - 0.083 * side - self._shift) / 0.062, (self._y - EYE_LINE) / 0.045
            rim = np.exp(-((((x**4 + y**4) ** 0.25 - 1) / 0.06) ** 2))
            self._blend(0.9 * rim, np.array((30, 30, 35), np.float32))
        bridge = np.exp(-(((self._y - EYE_LINE) / 0.005) ** 2)) * (np.abs(self._x - self._shift) < 0.022)
        self._blend(0.9 * bridge, np.array((30, 30, 35), np.float32))

    def hand(self) -> None:
        for finger in range(4):
            across = self._blob(-0.02, 0.09 + 0.032 * finger, 0.16, 0.019, 0.25)
            self._blend(across, self._skin * np.float32(0.95 - 0.04 * finger))

    def finished(self) -> Bgr:
        grain = 2.5 * self._noise(0.7)[..., None] + 2.0 * self._chance.standard_normal(self._picture.shape)
        picture = np.clip(self._picture + grain.astype(np.float32), 0, 255)
        turn = cv2.getRotationMatrix2D((self._side / 2, self._side / 2), -self._face.roll_degrees, 1)
        picture = cv2.warpAffine(picture, turn, (self._side, self._side), borderMode=cv2.BORDER_REPLICATE)
        soft = self._face.blur_px * self._side / SIDE_PX
        return np.clip(cv2.GaussianBlur(picture, (0, 0), max(soft, 0.3)), 0, 255).astype(np.uint8)

    def _blob(self, x: float, y: float, half_width: float, half_height: float, softness: float) -> Floats:
        """Weight of an ellipse that fades over its outer ``softness``."""
        distance = np.hypot((self._x - x) / half_width, (self._y - y) / half_height)
        return np.asarray(np.clip((1 - distance) / softness, 0, 1), np.float32)

    def _blend(self, weight: Floats, colour: Floats) -> None:
        self._picture += (colour - self._picture) * np.asarray(weight, np.float32)[..., None]

    def _noise(self, grain_px: float) -> Floats:
        field = self._chance.standard_normal((self._side, self._side)).astype(np.float32)
        smooth = cv2.GaussianBlur(field, (0, 0), grain_px)
        return np.asarray(smooth / smooth.std(), np.float32)


def _between(y: Floats, top: Floats, bottom: Floats, soft: float) -> Floats:
    return np.asarray(np.clip((y - top) / soft, 0, 1) * np.clip((bottom - y) / soft, 0, 1), np.float32)
