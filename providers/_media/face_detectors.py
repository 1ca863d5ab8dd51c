"""How a face is found, as a provider's options say it: by looking, or where somebody placed it."""

import hashlib
from pathlib import Path

from contracts.artifacts import Box
from contracts.context import ModelFile
from contracts.errors import ContractViolation, ProviderRejected, ProviderUnavailable
from contracts.faces import BoxAt, BoxTrack, FaceOptions
from providers._media.faces import Face, FindFaces, Image, find_faces
from providers._media.placed_faces import box_at, face_of

Models = dict[str, ModelFile]


def detector(options: FaceOptions, models: Models) -> FindFaces:
    """Of those that look.

    Raises:
        ProviderUnavailable: its file is missing, or no such network.
    """
    if options.detector == "yunet":
        from providers._media.yunet import YuNet

        return YuNet(checked_file(options, models))
    return find_faces


def placed_boxes(options: FaceOptions, models: Models, size: tuple[int, int]) -> BoxTrack | None:
    """Where somebody placed the face; None where it is to be looked for.

    Args:
        size: of the delivered picture, (width, height).

    Raises:
        ProviderUnavailable: the file of boxes is missing, or no such file.
        ProviderRejected: the box lies outside of the picture.
    """
    if options.detector == "box_track":
        return _box_track(options, models)
    if options.box is None:
        return None
    width, height = size
    _check_inside(options.box, width, height)
    return BoxTrack(width=width, height=height, boxes=(BoxAt(start_seconds=0, box=options.box),))


def faces_in_picture(bgr: Image, options: FaceOptions, models: Models) -> list[Face]:
    """All faces of a photo, largest first; where one was placed, that one.

    Raises: see ``detector`` and ``placed_boxes``.
    """
    height, width = bgr.shape[:2]
    placed = placed_boxes(options, models, (width, height))
    if placed is None:
        return detector(options, models)(bgr)
    box = box_at(placed, 0.0)
    return [] if box is None else [face_of(box).scaled(width / placed.width)]


def checked_file(options: FaceOptions, models: Models) -> Path:
    """The file that the options name. Raises: ProviderUnavailable: missing, or not the registry's bytes."""
    model = models.get(options.file or "")
    if model is None:
        known = ", ".join(sorted(models)) or "none"
        raise ProviderUnavailable(
            f"expected the file {options.file!r} under models: in the tool registry, which names {known}; add it"
        )
    if not model.path.is_file():
        raise ProviderUnavailable(f"expected {options.file!r} in {model.path}, found no file; put it there")
    if model.sha256 is not None and (found := digest_of(model.path)) != model.sha256:
        raise ProviderUnavailable(f"expected the file {model.path} with SHA-256 {model.sha256}, got one with {found}")
    return model.path


def digest_of(path: Path) -> str:
    """SHA-256, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _box_track(options: FaceOptions, models: Models) -> BoxTrack:
    path = checked_file(options, models)
    try:
        return BoxTrack.parse_json(path.read_bytes())
    except (OSError, ContractViolation) as error:
        raise ProviderUnavailable(
            f"expected a box track (JSON: width, height, boxes) in {path}, got another file: "
            f"{str(error).splitlines()[0][:200]}"
        ) from error


def _check_inside(box: Box, width: int, height: int) -> None:
    if box.x < 0 or box.y < 0 or box.x + box.width > width or box.y + box.height > height:
        raise ProviderRejected(
            f"expected a box inside the picture of {width}x{height} pixels, got x {box.x}, y {box.y}, "
            f"width {box.width}, height {box.height}; change the option faces.box"
        )
