"""Where the lips meet, or part, in a face patch of fixed scale: lightness valleys, teeth and dark gaps.

The patch is upright, 240 x 180 pixels, with the expected mouth centre at (120, 90) and 60 pixels per expected mouth
half-width. Not here: where in the picture that patch lies (``mouth_landmarks``).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

PATCH_WIDTH_PX, PATCH_HEIGHT_PX = 240, 180
CENTRE_X_PX, CENTRE_Y_PX = 120, 90
HALF_WIDTH_PX = 60
ROWS = slice(48, 142)  # nostrils lie above, the crease of the chin below
MIN_HALF_WIDTH_PX, MAX_HALF_WIDTH_PX = 42, 88
DARK_CORNER = 0.62  # of the skin's lightness; the crease beyond a corner is lighter
CORNER_REACH_PX = 48
FAINT_LINE = 0.08
STEEP_PX = 6  # so many rows in as many columns is a crease of the cheek
MIN_RED_DROP = 9.0  # closed lips stay below 5, parted ones above 10, over 120 frames of five speakers
TEETH_CHROMA = 0.75  # of the skin's: in dim light, and where a codec smeared them, teeth are hardly less red
LEAST_CHROMA = 4.0  # CIELAB: a picture in black and white has less
MIN_GAP_PX = 7.0  # a thinner dark line is a closed mouth


def _near_the_mouth() -> Floats:
    """Weight of each pixel of the patch, float32 (180, 240): falls off towards nostrils, chin and cheeks."""
    rows, columns = np.mgrid[0:PATCH_HEIGHT_PX, 0:PATCH_WIDTH_PX]
    across, down = (columns - CENTRE_X_PX) / 86.0, (rows - CENTRE_Y_PX) / 36.0
    return np.asarray(np.exp(-(down**8) - across**8), np.float32)


_NEAR = _near_the_mouth()


@dataclass(frozen=True)
class SkinTone:
    """Median L, a, b of cheeks and chin, each 0..255 with a and b centred on 128."""

    lightness: float
    red: float
    yellow: float
    noise: float


@dataclass(frozen=True)
class PatchMouth:
    """Contours in patch pixels, one value per column from ``left_px`` to ``right_px`` inclusive."""

    left_px: int
    right_px: int
    upper_px: Floats
    lower_px: Floats
    line_contrast: float
    """Depth of the line between the lips as a share of the skin's lightness; teeth and gaps count fully."""
    coverage: float
    """Share of the columns in which the line is really seen."""

    @property
    def open_end_px(self) -> float:
        """How far the contours are apart where they should meet, at the worse corner."""
        return float(max(self.lower_px[0] - self.upper_px[0], self.lower_px[-1] - self.upper_px[-1]))

    @property
    def gap_px(self) -> float:
        """Between the lips, in the middle third."""
        third = slice(len(self.upper_px) // 3, 2 * len(self.upper_px) // 3 + 1)
        return float(np.mean(self.lower_px[third] - self.upper_px[third]))


def skin_tone(lab: Floats) -> SkinTone:
    """From two patches of cheek and one of chin. ``lab``: float32 (180, 240, 3) as OpenCV scales it."""
    places = (lab[20:60, 30:60], lab[20:60, 180:210], lab[120:150, 60:180])
    skin = np.concatenate([place.reshape(-1, 3) for place in places])
    lightness, red, yellow = (float(value) for value in np.median(skin, axis=0))
    return SkinTone(max(lightness, 20.0), red, yellow, float(np.median(np.abs(skin[:, 0] - lightness))))


def trace_mouth(lab: Floats) -> PatchMouth | None:
    """The lips' inner contours; None when there is no line that could be a mouth."""
    skin = skin_tone(lab)
    valley = _valley(lab[..., 0]) / skin.lightness
    line = _line(valley)
    seen = _seen_along(valley, line)
    gap = _gap_component(lab, skin)
    if gap is not None:
        columns = np.flatnonzero(gap.sum(axis=0) >= 3)
        along = np.asarray(lab[line, np.arange(len(line)), 0] / skin.lightness, np.float32)
        corners = _corners(int(columns[0]), int(columns[-1]), line, seen, along)
        return _open_mouth(lab, gap, line, corners)
    corners = _extent(seen, _redness_along(lab, skin, line))
    if corners is None:
        return None
    gap = _gap_between_red_lips(lab, line, corners)
    return _closed_mouth(line, seen, corners) if gap is None else _open_mouth(lab, gap, line, corners)


def _closed_mouth(line: npt.NDArray[np.intp], seen: Floats, corners: tuple[int, int]) -> PatchMouth:
    left, right = corners
    contour = _smooth_contour(line[left : right + 1].astype(np.float32))
    middle = seen[left + (right - left) // 6 : right - (right - left) // 6]
    coverage = float(np.mean(middle > 0.035))
    return PatchMouth(left, right, contour, contour.copy(), float(np.median(middle)), coverage)


def _valley(lightness: Floats) -> Floats:
    """How much darker a row is than what lies above and below it, in lightness units."""
    smooth = cv2.GaussianBlur(lightness, (0, 0), sigmaX=3.0, sigmaY=1.5)
    above = np.roll(smooth, 9, axis=0)
    below = np.roll(smooth, -9, axis=0)
    return np.asarray(np.maximum(np.minimum(above, below) - smooth, 0), np.float32)


def _gap_component(lab: Floats, skin: SkinTone) -> npt.NDArray[np.bool_] | None:
    """Mask (180, 240) of teeth and dark between parted lips; None when the lips touch."""
    lightness, red = lab[..., 0], lab[..., 1]
    chroma = np.hypot(red - 128, lab[..., 2] - 128) / max(np.hypot(skin.red - 128, skin.yellow - 128), LEAST_CHROMA)
    faded = np.clip((TEETH_CHROMA - chroma) / 0.25, 0, 1) * (red < skin.red - 1)
    not_red = np.maximum(np.clip((skin.red - 3 - red) / 4, 0, 1), faded)
    teeth = not_red * np.clip((lightness - 0.8 * skin.lightness) / 20, 0, 1)
    dark = np.clip((0.42 * skin.lightness - lightness) / (0.08 * skin.lightness), 0, 1)
    score = cv2.GaussianBlur(np.asarray(np.maximum(teeth, dark) * _NEAR, np.float32), (0, 0), 1.2)
    mask = cv2.morphologyEx((score > 0.4).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 9), np.uint8))
    count, labels = cv2.connectedComponents(mask)
    if count < 2:
        return None
    weights = np.bincount(labels[:, 80:160].ravel(), minlength=count)[1:]
    component = labels == 1 + int(np.argmax(weights))
    heights = component.sum(axis=0)
    wide = np.flatnonzero(heights >= 3)
    if wide.size < MIN_HALF_WIDTH_PX or np.median(heights[100:141]) < MIN_GAP_PX:
        return None
    return component


def _gap_between_red_lips(
    lab: Floats, line: npt.NDArray[np.intp], corners: tuple[int, int]
) -> npt.NDArray[np.bool_] | None:
    """Mask of what is less red than the lips above and below it; None when the lips touch or are not red."""
    columns = np.arange(CENTRE_X_PX - 20, CENTRE_X_PX + 21)
    red = cv2.GaussianBlur(lab[..., 1], (0, 0), 1.5)
    heights = np.arange(-24, 27)
    rows = np.clip(line[columns] + heights[:, None], 0, PATCH_HEIGHT_PX - 1)
    profile = np.median(red[rows, columns], axis=1)
    above, below = heights <= -5, heights >= 8
    lips = min(float(profile[above].max()), float(profile[below].max()))
    drop = lips - float(profile[(heights >= -6) & (heights <= 14)].min())
    if drop < MIN_RED_DROP:
        return None
    top = float(heights[above][np.argmax(profile[above])])
    bottom = float(heights[below][np.argmax(profile[below])])
    left, right = corners
    across = (np.arange(PATCH_WIDTH_PX) - (left + right) / 2) / ((right - left) / 2)
    room = np.clip(1 - across**2, 0, 1)  # lips come together towards the corners
    from_line = np.arange(PATCH_HEIGHT_PX)[:, None] - line
    mask = (red < lips - 0.5 * drop) & (from_line > top * room) & (from_line < bottom * room)
    mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 7), np.uint8))
    _, labels = cv2.connectedComponents(mask)
    sizes = np.bincount(labels[:, 100:141].ravel())[1:]
    return labels == 1 + int(np.argmax(sizes)) if sizes.size else None


def _open_mouth(
    lab: Floats, component: npt.NDArray[np.bool_], line: npt.NDArray[np.intp], corners: tuple[int, int]
) -> PatchMouth:
    """Contours of a parted mouth: the gap's hull per column, moved onto the nearest edge of a lip.

    The dark corners of a smile are often no part of the gap found; there the line leads to the corner.
    """
    columns = np.flatnonzero(component.sum(axis=0) >= 3)
    left, right = corners
    columns = columns[(columns >= left) & (columns <= right)]
    edge = _edge_strength(lab)
    upper = np.full(right - left + 1, np.nan, np.float32)
    lower = upper.copy()
    for column in columns:
        rows = np.flatnonzero(component[:, column])
        upper[column - left] = _best_row(edge[:, column], int(rows[0]) - 12, int(rows[0]) + 4)
        lower[column - left] = _best_row(edge[:, column], int(rows[-1]) - 4, int(rows[-1]) + 7)
    for corner in (0, -1):
        if not np.isfinite(upper[corner]):
            upper[corner] = lower[corner] = line[left if corner == 0 else right]
    curves = _smooth_contour(upper), _smooth_contour(lower)
    if np.any(curves[0] > curves[1] + 1):  # bent too freely: lips do not cross
        curves = _smooth_contour(upper, degree=2), _smooth_contour(lower, degree=2)
    upper, lower = curves
    return PatchMouth(left, right, np.minimum(upper, lower), np.maximum(upper, lower), 0.3, 1.0)


def _corners(
    left: int, right: int, line: npt.NDArray[np.intp], seen: Floats, lightness_along: Floats
) -> tuple[int, int]:
    """Columns of the corners: the last dark ones outward of the gap, as far as the line is seen at all.

    Beyond a corner the line goes on as a crease, which is lighter and steeper; teeth in shadow may lie before it.
    """
    there = _bridged(np.asarray(seen > FAINT_LINE, np.bool_))
    dark = lightness_along < DARK_CORNER
    outermost = [left, right]
    for side, step in ((0, -1), (1, 1)):
        column = outermost[side]
        for _ in range(CORNER_REACH_PX):
            column += step
            if not 4 <= column < len(seen) - 4 or not there[column]:
                break
            if abs(int(line[column]) - int(line[column - step * STEEP_PX])) >= STEEP_PX:
                break
            if dark[column]:
                outermost[side] = column
    return outermost[0], outermost[1]


def _edge_strength(lab: Floats) -> Floats:
    """How strongly lightness and redness change from one row to the next."""
    smooth = cv2.GaussianBlur(lab, (0, 0), sigmaX=2.0, sigmaY=1.2)
    step = np.roll(smooth, -2, axis=0) - np.roll(smooth, 2, axis=0)
    return np.asarray(np.abs(step[..., 0]) + 2.5 * np.abs(step[..., 1]), np.float32)


def _best_row(strength: Floats, first: int, last: int) -> float:
    first, last = max(0, first), min(len(strength) - 1, last)
    return float(first + int(np.argmax(strength[first : last + 1])))


def _smooth_contour(rows: Floats, degree: int = 4) -> Floats:
    """A polynomial through the rows that agree with it; NaN is ignored, the ends are held."""
    across = np.linspace(-1, 1, len(rows))
    used = np.isfinite(rows)
    weights = np.where(np.abs(across) == 1, 8.0, 1.0)
    fitted = np.zeros(len(rows))
    for _ in range(3):
        fitted = np.polyval(np.polyfit(across[used], rows[used], degree, w=weights[used]), across)
        error = np.abs(rows - fitted)
        closer = np.isfinite(rows) & ((error <= max(1.5, 2.0 * float(np.median(error[used])))) | (weights > 1))
        if np.count_nonzero(closer) < 12:
            break
        used = closer
    return np.asarray(fitted, np.float32)


def _line(strength: Floats) -> npt.NDArray[np.intp]:
    """The row of the strongest line that crosses the patch, one row per column, at most one pixel of slope.

    A shortest path by dynamic programming over the columns.
    """
    rows = np.arange(ROWS.start, ROWS.stop, dtype=np.float32)
    far = 0.02 * ((rows - CENTRE_Y_PX) / 22.0) ** 2
    cost = far[:, None] - np.minimum(strength[ROWS], 0.3)
    by_column = np.ascontiguousarray(cost.T)
    came_from = np.zeros(by_column.shape, np.intp)
    best = by_column[0]
    steps = np.full((3, len(rows)), np.inf, np.float32)  # from the row above, from the same, from below
    for column in range(1, len(by_column)):
        steps[0, 1:] = best[:-1] + np.float32(0.004)
        steps[1] = best
        steps[2, :-1] = best[1:] + np.float32(0.004)
        came_from[column] = steps.argmin(axis=0) - 1
        best = by_column[column] + steps.min(axis=0)
    path = np.empty(len(by_column), np.intp)
    path[-1] = int(np.argmin(best))
    for column in range(len(by_column) - 1, 0, -1):
        path[column - 1] = path[column] + came_from[column, path[column]]
    return path + ROWS.start


def _seen_along(valley: Floats, line: npt.NDArray[np.intp]) -> Floats:
    """Depth of the line in each column, smoothed along it."""
    strength = valley[line, np.arange(len(line))].astype(np.float32)
    return np.asarray(cv2.GaussianBlur(strength[None], (0, 0), 3.0)[0], np.float32)


def _redness_along(lab: Floats, skin: SkinTone, line: npt.NDArray[np.intp]) -> Floats:
    """How much redder than skin it is near the line, in each column."""
    red = cv2.GaussianBlur(lab[..., 1], (0, 0), sigmaX=3.0, sigmaY=4.0) - skin.red
    columns = np.arange(len(line))
    return np.asarray(np.maximum(red[line - 6, columns], red[line + 6, columns]), np.float32)


def _extent(seen: Floats, redness: Floats) -> tuple[int, int] | None:
    """Leftmost and rightmost column of the mouth: the line is seen and, if the lips are red at all, they are."""
    around = slice(CENTRE_X_PX - 25, CENTRE_X_PX + 26)
    depth, red = float(np.median(seen[around])), float(np.median(redness[around]))
    if depth < 0.02:
        return None
    there = seen > max(0.45 * depth, 0.02)
    if red > 5:
        there &= redness > 0.4 * red
    there = _bridged(there)
    left = right = CENTRE_X_PX
    while left > CENTRE_X_PX - MAX_HALF_WIDTH_PX and there[left - 1]:
        left -= 1
    while right < CENTRE_X_PX + MAX_HALF_WIDTH_PX and there[right + 1]:
        right += 1
    return (left, right) if right - left >= MIN_HALF_WIDTH_PX else None


def _bridged(there: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """With holes of up to 20 columns filled."""
    filled = cv2.morphologyEx(there[None].astype(np.uint8), cv2.MORPH_CLOSE, np.ones((1, 21), np.uint8))
    return np.asarray(filled[0] > 0, np.bool_)
