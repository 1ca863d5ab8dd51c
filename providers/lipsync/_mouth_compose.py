"""Put a rendered mouth into a frame: in place, or moved with the head, feathered and matched to the frame's light.

Only the region of the mouth is read and written.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from providers._media.face_tracking import Transform
from providers._media.faces import Image
from providers._media.mouth_landmarks import MouthLandmarks
from providers.lipsync._mouth_interior import smoothstep
from providers.lipsync._mouth_rig import MouthRig, Pose

Floats = npt.NDArray[np.floating[Any]]  # float32 at run time

LOWEST_EDGE = 2.1  # half widths: the jaw's outline moves too much to be replaced
GAIN_LIMITS = (0.85, 1.18)
GAIN_MEMORY = 0.8  # of the last frame's gain: light changes slowly, noise must not flicker


class MouthComposer:
    """Animates the frames of one shot; call it in the order of the output."""

    def __init__(self, reference: Image, mouth: MouthLandmarks) -> None:
        self._rig = MouthRig(reference, mouth)
        self._mask = feather(self._rig)
        self._gain: Floats | None = None

    def compose(self, frame: Image, transform: Transform, pose: Pose, strength: float = 1.0) -> float:
        """Change ``frame`` (uint8 (H, W, 3)) in place; the opening that is shown, 0..1.

        Args:
            transform: from the reference's pixels to the frame's.
            strength: 0 leaves the frame as it is, 1 replaces the mouth; between them for soft beginnings and ends.
        """
        mouth, opening = self._rig.render(pose)
        box = self._rig.box
        corners = np.array([[[box.x, box.y]], [[box.x + box.width, box.y + box.height]]], np.float64)
        outline = cv2.transform(_outline(corners), transform)[:, 0]
        left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, (frame.shape[1], frame.shape[0]))
        if right <= left or bottom <= top:
            return 0.0
        placed = np.hstack(
            [transform[:, :2], transform[:, 2:] + transform[:, :2] @ [[box.x], [box.y]] - [[left], [top]]]
        )
        size = (int(right - left), int(bottom - top))
        patch = np.asarray(
            cv2.warpAffine(mouth, placed, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), np.float32
        )
        mask = np.asarray(cv2.warpAffine(self._mask, placed, size), np.float32)
        part = frame[top:bottom, left:right]
        below = part.astype(np.float32)
        above = patch * self._matched(patch, below, mask)
        below += (above - below) * (mask * np.float32(strength))[..., None]
        np.copyto(part, np.clip(below + 0.5, 0, 255).astype(np.uint8))
        return opening * strength

    def _matched(self, patch: Floats, below: Floats, mask: Floats) -> Floats:
        """Factor per channel that makes the patch as bright as the frame where both show."""
        ring = (mask > 0.05) & (mask < 0.6)
        if not ring.any():
            return np.ones(3, np.float32) if self._gain is None else self._gain
        gain = (below[ring].mean(axis=0) + 1) / (patch[ring].mean(axis=0) + 1)
        gain = np.clip(gain, *GAIN_LIMITS)
        if self._gain is not None:
            gain = GAIN_MEMORY * self._gain + (1 - GAIN_MEMORY) * gain
        self._gain = np.asarray(gain, np.float32)
        return self._gain


def paint_region(frame: Image, rig: MouthRig, pose: Pose, strength: float) -> float:
    """Change ``frame``, the rig's own picture, in place; the opening that is shown, 0..1."""
    mouth, opening = rig.render(pose)
    box = rig.box
    part = frame[box.y : box.y + box.height, box.x : box.x + box.width]
    if strength < 1:
        mouth = np.asarray(cv2.addWeighted(mouth, strength, part, 1 - strength, 0), np.uint8)
    np.copyto(part, mouth)
    return opening * strength


def feather(rig: MouthRig) -> Floats:
    """Weight of the rendered mouth per pixel of the rig's region, 0 at its border; float32 (h, w)."""
    u, v = rig.coordinates
    chin = min(rig.mouth.chin, LOWEST_EDGE)
    return np.asarray(
        (1 - smoothstep(np.abs(u), 1.25, 1.8))
        * smoothstep(v, -0.85, -0.45)
        * (1 - smoothstep(v, chin - 0.3, chin + 0.25)),
        np.float32,
    )


def _outline(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Four corners (4, 1, 2) of the rectangle between two."""
    (left, top), (right, bottom) = corners[:, 0]
    return np.array([[[left, top]], [[right, top]], [[right, bottom]], [[left, bottom]]])
