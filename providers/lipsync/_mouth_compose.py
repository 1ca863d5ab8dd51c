"""Put a rendered mouth into a frame: in place, or moved with the head, feathered and matched to the frame's light.

Only the region of the mouth is read and written.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from providers._media.face_tracking import Transform
from providers._media.faces import Image
from providers._media.mouth_landmarks import MouthLandmarks
from providers._media.planar import Planar, paint, region, size_of
from providers.lipsync._mouth_interior import smoothstep
from providers.lipsync._mouth_rig import MouthRig, Pose, Reach

Floats = npt.NDArray[np.floating[Any]]  # float32 at run time

RING = (0.05, 0.6)  # of the mask's weight: there patch and frame show the same skin
GAIN_LIMITS = (0.85, 1.18)
GAIN_MEMORY = 0.8  # of the last frame's gain: light changes slowly, noise must not flicker


class MouthComposer:
    """Animates the frames of one shot; call it in the order of the output."""

    def __init__(self, reference: Image, mouth: MouthLandmarks) -> None:
        self._rig = MouthRig(reference, mouth, Reach.of_video(mouth))
        self._mask = feather(self._rig)
        self._gain: Floats | None = None

    def compose(self, frame: Planar, transform: Transform, pose: Pose, strength: float = 1.0) -> float:
        """Change ``frame`` in place; the opening that is shown, 0..1.

        Args:
            transform: from the reference's pixels to the frame's.
            strength: 0 leaves the frame as it is, 1 replaces the mouth; between them for soft beginnings and ends.
        """
        mouth, opening = self._rig.render(pose)
        box = self._rig.box
        corners = np.array([[[box.x, box.y]], [[box.x + box.width, box.y + box.height]]], np.float64)
        outline = cv2.transform(_outline(corners), transform)[:, 0]
        left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, size_of(frame))
        if right <= left or bottom <= top:
            return 0.0
        place = Box(x=int(left), y=int(top), width=int(right - left), height=int(bottom - top))
        moved = np.hstack(
            [transform[:, :2], transform[:, 2:] + transform[:, :2] @ [[box.x], [box.y]] - [[left], [top]]]
        )
        size = (place.width, place.height)
        patch = cv2.warpAffine(mouth, moved, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        mask = np.asarray(cv2.warpAffine(self._mask, moved, size), np.float32)
        below = region(frame, place)
        lit = cv2.transform(patch, np.diag(self._matched(patch, below, mask)))
        mask *= np.float32(strength)
        paint(frame, place, np.asarray(cv2.blendLinear(lit, below, mask, 1 - mask), np.uint8))
        return opening * strength

    def _matched(self, patch: cv2.typing.MatLike, below: Image, mask: Floats) -> Floats:
        """Factor per channel that makes the patch as bright as the frame where both show."""
        ring = cv2.inRange(mask, *RING)
        there = np.array(cv2.mean(below, ring)[:3]) + 1, np.array(cv2.mean(patch, ring)[:3]) + 1
        gain = np.clip(there[0] / there[1], *GAIN_LIMITS)
        if self._gain is not None:
            gain = GAIN_MEMORY * self._gain + (1 - GAIN_MEMORY) * gain
        self._gain = np.asarray(gain, np.float32)
        return self._gain


def paint_region(frame: Planar, rig: MouthRig, pose: Pose, strength: float) -> float:
    """Change ``frame``, the rig's own picture, in place; the opening that is shown, 0..1."""
    mouth, opening = rig.render(pose)
    if strength < 1:
        mouth = np.asarray(cv2.addWeighted(mouth, strength, region(frame, rig.box), 1 - strength, 0), np.uint8)
    paint(frame, rig.box, mouth)
    return opening * strength


def feather(rig: MouthRig) -> Floats:
    """Weight of the rendered mouth per pixel of the rig's region, 0 at its border; float32 (h, w)."""
    u, v = rig.coordinates
    reach = rig.reach
    narrower = np.abs(u) * (1 + np.float32(0.22) * np.clip(v - np.float32(0.4), 0, None))  # as a chin is
    return np.asarray(
        (1 - smoothstep(narrower, reach.across - 0.55, reach.across))
        * smoothstep(v, -reach.up, -reach.up + 0.4)
        * (1 - smoothstep(v, reach.down - 0.45, reach.down)),
        np.float32,
    )


def _outline(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Four corners (4, 1, 2) of the rectangle between two."""
    (left, top), (right, bottom) = corners[:, 0]
    return np.array([[[left, top]], [[right, top]], [[right, bottom]], [[left, bottom]]])
