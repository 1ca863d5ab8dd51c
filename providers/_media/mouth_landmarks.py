"""Where the mouth is in a face and how its lips run, with a confidence; no weights.

Measured against a landmark model on 253 faces: the mouth's centre lies at (0.5025, 0.813) of the cascade's box with
a spread of 3 %, its half width is 0.145 of the box's width. From there the picture itself decides (``mouth_contours``).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.eye_landmarks import Eye, locate_eyes
from providers._media.faces import Face, Image
from providers._media.mouth_contours import (
    CENTRE_X_PX,
    CENTRE_Y_PX,
    HALF_WIDTH_PX,
    PATCH_HEIGHT_PX,
    PATCH_WIDTH_PX,
    ROWS,
    Floats,
    PatchMouth,
    skin_tone,
    trace_mouth,
)

MOUTH_CENTRE = (0.5025, 0.813)
MOUTH_HALF_WIDTH = 0.145
EYE_DISTANCE, EYE_HEIGHT = 0.37, 0.385
CHIN_HEIGHT = 1.083
CONTOUR_U = np.linspace(-1.0, 1.0, 25, dtype=np.float32)
MIN_HALF_WIDTH_PICTURE_PX = 6.0  # fewer pixels cannot show a mouth that moves
WIDE_OPEN = 0.6  # gap in half widths: closing such a mouth would need skin that is not in the picture
FAINT_LINE_LIGHTNESS = 0.74  # of the skin's; the line between closed lips is darker
TEETH_LIGHTNESS = 1.35  # of the skin's; wet lips stay below
LIP_HEIGHTS_PX = range(3, 16, 2)
RED_LIP = 5.0  # redder than the skin by so much; no lip of a picture in black and white is
LEAST_UPPER_LIP = 0.25  # of the reddest row's redness: 0.6 and more over 58 frames of five speakers, below 0.1 for hair
LIT_SKIN, MOST_LIT, BRIGHTEST = 130.0, 2.0, 230.0
"""CIELAB lightness (0..255) of skin, the gain, lightness of the brightest tenth: a darker picture is brightened so far
before it is judged, since the colours of lips and teeth fade with the light. Brightened to 160, a dark face's shadows
were taken for mouths."""
SURE = 0.6
"""Confidence from which a mouth may be animated: the lowest that draws at most one bad face in a hundred, by
``benchmarks.lipsync_parts.confidence``."""
SURE_AGAIN = 0.9
"""The same for a second look: two looks find a mouth under a moustache more easily than one."""


@dataclass(frozen=True)
class MouthLandmarks:
    """A mouth in its own frame: origin midway between the corners, u to the right and v down, in half widths."""

    centre_px: tuple[float, float]
    half_width_px: float
    roll_degrees: float
    upper_inner: Floats
    """v of the upper lip's inner edge at ``CONTOUR_U``."""
    lower_inner: Floats
    """v of the lower lip's inner edge at ``CONTOUR_U``; equal to the upper one where the lips touch."""
    chin: float
    """v of the chin's lowest point."""
    confidence: float
    parting: float = 0.0
    """How much dark or teeth shows around the lip line, 0 for closed lips; only good to compare one face's pictures."""
    doubt: str = ""
    """What speaks most against animating this mouth, when the confidence is low; for people."""

    @property
    def gap(self) -> float:
        """Between the lips in the middle third, in half widths; 0 for a closed mouth."""
        third = len(CONTOUR_U) // 3
        return float(np.mean((self.lower_inner - self.upper_inner)[third:-third]))

    @property
    def is_sure(self) -> bool:
        return self.confidence >= SURE

    @property
    def is_wide_open(self) -> bool:
        """Too wide to be closed again, which says nothing against its place."""
        return self.gap > 0.75 * WIDE_OPEN

    def to_picture(self, u: float, v: float) -> tuple[float, float]:
        cos, sin = math.cos(math.radians(self.roll_degrees)), math.sin(math.radians(self.roll_degrees))
        return (
            self.centre_px[0] + (u * cos - v * sin) * self.half_width_px,
            self.centre_px[1] + (u * sin + v * cos) * self.half_width_px,
        )


def locate_mouth(bgr: Image, face: Face) -> MouthLandmarks | None:
    """The mouth of ``face``; None when nothing there could be one.

    A mouth in doubt is looked for once more where the eyes suggest it: the detector's box may be off.

    Args:
        bgr: uint8 (H, W, 3), the picture in which the face was found.
    """
    mouth = _located(bgr, face)
    if mouth is not None and mouth.is_sure:
        return mouth
    eyes = locate_eyes(bgr, face)
    again = _located(bgr, _face_of_eyes(*eyes, face.confidence)) if eyes is not None else None
    return again if again is not None and again.confidence >= SURE_AGAIN else mouth


def _face_of_eyes(left: Eye, right: Eye, confidence: float) -> Face:
    """The box that the detector gives a face with such eyes."""
    (x1, y1), (x2, y2) = left.centre_px, right.centre_px
    side = max(1, round(math.hypot(x2 - x1, y2 - y1) / EYE_DISTANCE))
    face = Face(Box(x=0, y=0, width=side, height=side), math.degrees(math.atan2(y2 - y1, x2 - x1)), confidence)
    x, y = face.point(0.5, EYE_HEIGHT)
    return face.shifted(round((x1 + x2) / 2 - x), round((y1 + y2) / 2 - y))


def _located(bgr: Image, face: Face) -> MouthLandmarks | None:
    lab, to_patch = _patch(bgr, face)
    traced = trace_mouth(lab)
    if traced is None:
        return None
    corners = np.array(
        [
            [traced.left_px, (traced.upper_px[0] + traced.lower_px[0]) / 2],
            [traced.right_px, (traced.upper_px[-1] + traced.lower_px[-1]) / 2],
        ]
    )
    tilt = math.degrees(math.atan2(corners[1, 1] - corners[0, 1], corners[1, 0] - corners[0, 0]))
    half_width = float(np.linalg.norm(corners[1] - corners[0])) / 2
    centre = corners.mean(axis=0)
    upper, lower = _in_mouth_frame(traced, centre, half_width, tilt)
    confidence, doubt = _confidence(lab, traced, face, tilt, half_width)
    from_patch = cv2.invertAffineTransform(to_patch)
    scale = math.hypot(from_patch[0, 0], from_patch[1, 0])
    centre_px = from_patch @ np.array([centre[0], centre[1], 1.0])
    chin_row = CENTRE_Y_PX + (CHIN_HEIGHT - MOUTH_CENTRE[1]) / MOUTH_HALF_WIDTH * HALF_WIDTH_PX
    if half_width * scale < MIN_HALF_WIDTH_PICTURE_PX:
        confidence, doubt = 0.0, "the mouth is too small in the picture"
    return MouthLandmarks(
        centre_px=(float(centre_px[0]), float(centre_px[1])),
        half_width_px=half_width * scale,
        roll_degrees=face.roll_degrees + tilt,
        upper_inner=upper,
        lower_inner=lower,
        chin=max(1.3, (chin_row - float(centre[1])) / half_width),
        confidence=confidence,
        parting=_parting(lab, traced),
        doubt=doubt,
    )


def _patch(bgr: Image, face: Face) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Lab patch, float32 (180, 240, 3), upright and lit; and the 2x3 transform from the picture into it."""
    scale = HALF_WIDTH_PX / (MOUTH_HALF_WIDTH * face.box.width)
    roll = math.radians(face.roll_degrees)
    cos, sin = math.cos(roll) * scale, math.sin(roll) * scale
    centre = np.array(face.point(*MOUTH_CENTRE))
    turn = np.array([[cos, sin], [-sin, cos]])
    to_patch = np.hstack([turn, (np.array([CENTRE_X_PX, CENTRE_Y_PX]) - turn @ centre)[:, None]])
    source = bgr
    if scale < 0.7:  # soften first: sampling a large picture sparsely would alias
        source = cv2.GaussianBlur(bgr, (0, 0), 0.4 / scale)
    patch = cv2.warpAffine(
        source, to_patch, (PATCH_WIDTH_PX, PATCH_HEIGHT_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    lab = np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2LAB), np.float32)
    gain = min(
        LIT_SKIN / skin_tone(lab).lightness, MOST_LIT, BRIGHTEST / max(1.0, float(np.percentile(lab[..., 0], 90)))
    )
    if gain > 1:
        lab = np.asarray(cv2.cvtColor(cv2.convertScaleAbs(patch, alpha=gain), cv2.COLOR_BGR2LAB), np.float32)
    return lab, to_patch


def _in_mouth_frame(
    traced: PatchMouth, centre: npt.NDArray[np.float64], half_width: float, tilt_degrees: float
) -> tuple[Floats, Floats]:
    columns = np.arange(traced.left_px, traced.right_px + 1)
    cos, sin = math.cos(math.radians(tilt_degrees)), math.sin(math.radians(tilt_degrees))

    def sampled(rows: Floats) -> Floats:
        x, y = columns - centre[0], rows - centre[1]
        u, v = (x * cos + y * sin) / half_width, (-x * sin + y * cos) / half_width
        return np.asarray(np.interp(CONTOUR_U, u, v), np.float32)

    return sampled(traced.upper_px), sampled(traced.lower_px)


def _confidence(
    lab: Floats, traced: PatchMouth, face: Face, tilt_degrees: float, half_width: float
) -> tuple[float, str]:
    """0..1 as the weakest of several looks, and the words for that one."""
    centre_x = (traced.left_px + traced.right_px) / 2
    centre_y = float(np.mean(traced.upper_px + traced.lower_px)) / 2
    looks = (
        (_falling(face.confidence, 0.65, 0.35), "the face is not clear"),
        (_falling(traced.line_contrast, 0.10, 0.03), "no clear line between the lips"),
        (_falling(traced.coverage, 0.97, 0.7), "the line between the lips is interrupted"),
        (_falling(-abs(tilt_degrees), -6, -14), "the mouth and the eyes are not parallel; the face may be turned"),
        (_falling(-abs(centre_x - CENTRE_X_PX), -14, -34), "the mouth is off the face's middle; the face is turned"),
        (_falling(-abs(centre_y - CENTRE_Y_PX), -26, -44), "the mouth is not where the face suggests it"),
        (_falling(half_width, 40, 26), "the mouth seems too narrow; it may be covered"),
        (_falling(-traced.open_end_px / half_width, -0.12, -0.30), "the corners of the mouth are not found"),
        (_falling(-traced.gap_px / half_width, -0.45, -WIDE_OPEN), "the mouth is wide open"),
        (_falling(-_hidden_teeth(lab, traced), 0.0, -0.12), "teeth and lips cannot be told apart"),
        (0.0 if _lacks_upper_lip(lab, traced) else 1.0, "no upper lip is seen; a moustache may cover it"),
        (_falling(-lips_below_line(lab, traced), -19, -27), "a moustache or a shadow lies over the lip line"),
    )
    weakest, doubt = min(looks, key=lambda look: look[0])
    return weakest, doubt if weakest < 1 else ""


def lips_below_line(lab: Floats, traced: PatchMouth) -> float:
    """How far, in patch pixels, the red of the lips lies below the line found; 0 when nothing there is red or dark.

    A moustache makes a darker line than the lips do; the red below it gives it away.
    """
    skin = skin_tone(lab)
    above = lab[50:88, CENTRE_X_PX - 60 : CENTRE_X_PX + 60]
    dark = float(np.mean((above[..., 0] < 0.7 * skin.lightness) & (above[..., 1] < skin.red + 4)))
    rows = np.arange(55, 140)
    red = np.clip(lab[rows, CENTRE_X_PX - 45 : CENTRE_X_PX + 45, 1] - skin.red - 4, 0, None).sum(axis=1)
    if dark < 0.05 or red.sum() < 300:
        return 0.0
    return float(np.sum(red * rows) / np.sum(red)) - float(np.mean(traced.lower_px))


def _lacks_upper_lip(lab: Floats, traced: PatchMouth) -> bool:
    """No lip lies above the line or the gap, though there are red ones: hair covers it, or it is no mouth."""
    skin_red, quarter = skin_tone(lab).red, len(traced.upper_px) // 4
    columns = np.arange(traced.left_px + quarter, traced.right_px - quarter + 1)
    edge = np.round(traced.upper_px[quarter : quarter + len(columns)]).astype(int)
    above = max(float(np.mean(lab[np.clip(edge - height, 0, None), columns, 1])) for height in LIP_HEIGHTS_PX)
    reddest = float(np.max(np.mean(lab[ROWS, columns, 1], axis=1)))
    return reddest - skin_red > RED_LIP and above - skin_red < LEAST_UPPER_LIP * (reddest - skin_red)


def _hidden_teeth(lab: Floats, traced: PatchMouth) -> float:
    """How much brighter than skin it is below a faint line: such a line is the upper lip above teeth not recognised.

    So it is however dark the line, where something much brighter than skin and not red follows: teeth in a dark face.
    """
    if traced.gap_px > 0:
        return 0.0
    quarter = (traced.right_px - traced.left_px) // 4
    columns = np.arange(traced.left_px + quarter, traced.right_px - quarter + 1)
    line = np.round(traced.upper_px).astype(int)[columns - traced.left_px]
    skin = skin_tone(lab)
    below = [lab[np.clip(line + height, 0, PATCH_HEIGHT_PX - 1), columns].mean(axis=0) for height in range(4, 30, 2)]
    if any(row[0] > TEETH_LIGHTNESS * skin.lightness and row[1] < skin.red - 3 for row in below):
        return 1.0
    if float(np.mean(lab[line, columns, 0])) < FAINT_LINE_LIGHTNESS * skin.lightness:
        return 0.0
    return max(0.0, max(float(row[0]) for row in below[:9]) / skin.lightness - 1)


def _parting(lab: Floats, traced: PatchMouth) -> float:
    """See ``MouthLandmarks.parting``: darkness near the line, and redness that drops towards it."""
    quarter = (traced.right_px - traced.left_px) // 4
    columns = np.arange(traced.left_px + quarter, traced.right_px - quarter + 1)
    middle = np.round((traced.upper_px + traced.lower_px) / 2).astype(int)[columns - traced.left_px]

    def band(*heights: int) -> Floats:
        return np.concatenate([lab[np.clip(middle + height, 0, PATCH_HEIGHT_PX - 1), columns] for height in heights])

    dark = np.clip(0.72 - band(*range(-18, 19, 3))[:, 0] / skin_tone(lab).lightness, 0, None)
    red_drop = np.median(band(-20, -16, 16, 20)[:, 1]) - np.median(band(-4, 0, 4)[:, 1])
    return float(2 * np.mean(dark) + np.clip(red_drop / 10, 0, 1))


def _falling(value: float, good: float, bad: float) -> float:
    """1 at ``good`` and better, 0 at ``bad`` and worse, linear between."""
    return round(min(1.0, max(0.0, (value - bad) / (good - bad))), 3)
