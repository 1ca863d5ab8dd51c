"""Checks of what is seen, the mouth's timing apart: black, frozen, face, blur, levels, seams, what else changed."""

from collections.abc import Sequence

import numpy as np

from contracts.artifacts import FrameRange, Span
from contracts.qa import Evidence, QACheck
from providers.qa._signal_catalogue import Catalogue
from providers.qa._signal_picture import LEAST_STRETCH_SECONDS, Picture

EDGE_OF_SPEECH_SECONDS = 0.15
"""Speech detection ends that late; a mouth at rest there is not frozen."""
VOTERS = 1  # looks to each side: a single wrong one is no leap
OUTSIDE_PERCENTILE = 5
QUICK_PERCENTILE = 98
LEAST_CHANGE = 1.0  # grey levels: a mouth that hardly moves is no measure for a seam


def black(catalogue: Catalogue, picture: Picture) -> QACheck:
    total = sum(span.duration_seconds for span in picture.black)
    message = f"{total:.2f} s are black." if picture.black else "No frame is black."
    return catalogue.measured("black", total, message, evidence=picture.black, digits=2)


def frozen_face(catalogue: Catalogue, picture: Picture, speech: Sequence[Span]) -> QACheck:
    if picture.mouth.face_share == 0:
        return catalogue.skipped("frozen_face", "No face was seen.")
    if not speech:
        return catalogue.skipped("frozen_face", "Nobody speaks.")
    inner = [_shrunk(span) for span in speech]
    found = [
        part
        for frozen in picture.frozen
        for spoken in inner
        if spoken and (part := _shared(frozen, spoken)) and part.duration_seconds >= LEAST_STRETCH_SECONDS
    ]
    longest = max((span.duration_seconds for span in found), default=0.0)
    message = (
        f"The lower face stands still for up to {longest:.2f} s while somebody speaks."
        if found
        else "The lower face never stands still while somebody speaks."
    )
    return catalogue.measured("frozen_face", longest, message, evidence=found, digits=2)


def face_present(catalogue: Catalogue, picture: Picture) -> QACheck:
    looks = picture.mouth.looks
    if not looks:
        return catalogue.skipped("face_present", "The picture is black throughout.")
    times = [look.time_seconds for look in looks]
    missing = [
        Span(start_seconds=start, end_seconds_exclusive=max(start, end))
        for look, start, end in zip(looks, times, [*times[1:], picture.end_seconds], strict=True)
        if look.face is None
    ]
    share = picture.mouth.face_share
    message = f"A face was seen in {share:.0%} of {len(looks)} frames looked at."
    return catalogue.measured("face_present", share, message, evidence=missing, digits=2)


def face_steady(catalogue: Catalogue, picture: Picture) -> QACheck:
    """Between two looks a head moves by a part of its width; a leap is a cut or somebody else."""
    seen = [(look.time_seconds, look.face) for look in picture.mouth.looks if look.face is not None]
    if len(seen) < 2 * VOTERS + 1:
        return catalogue.skipped("face_steady", "The face was seen too seldom to tell.")
    places = np.array([[*face.centre, face.box.width] for _, face in seen], np.float64)
    voted = np.array([np.median(places[max(0, at - VOTERS) : at + VOTERS + 1], axis=0) for at in range(len(places))])
    steps = np.hypot(*np.diff(voted[:, :2], axis=0).T) / voted[1:, 2]
    worst = int(np.argmax(steps))
    evidence = [Span(start_seconds=seen[worst][0], end_seconds_exclusive=seen[worst + 1][0])]
    message = f"From one look to the next the face moves by up to {steps[worst]:.2f} of its width."
    check = catalogue.measured("face_steady", float(steps[worst]), message, digits=2, evidence=evidence)
    return check if check.status != "pass" else check.model_copy(update={"evidence": ()})


def blur(catalogue: Catalogue, picture: Picture) -> QACheck:
    found = np.array(picture.look.blur)
    if not np.isfinite(found).any():
        return catalogue.skipped("blur", "No face was seen, or the picture is turned or not 8-bit.")
    usual = float(np.nanmedian(found))
    message = f"The face's usual blur is {usual:.2f}; 0 is sharp, 1 is nothing but blur."
    check = catalogue.measured("blur", usual, message, digits=2, at_worst="warn")
    if check.status == "pass":
        return check
    return check.model_copy(
        update={"evidence": (Evidence(start_seconds=0, end_seconds_exclusive=picture.end_seconds),)}
    )


def levels(catalogue: Catalogue, picture: Picture) -> QACheck:
    found = picture.look.outside_levels
    if not found:
        return catalogue.skipped("levels", "Defined for 8 bits in limited range, upright; this is not.")
    worst = int(np.argmax(found))
    at = picture.look.times_seconds[worst]
    evidence = [Span(start_seconds=at, end_seconds_exclusive=at + picture.frame_seconds)] if found[worst] else []
    message = f"Up to {found[worst]:.1%} of a picture is outside of EBU R 103's levels."
    return catalogue.measured("levels", found[worst], message, evidence=evidence)


def outside_mouth(catalogue: Catalogue, picture: Picture) -> QACheck:
    found = picture.outside_mouth
    if not found:
        return catalogue.skipped("outside_mouth", "Lip-sync kept no frames from before, or no face was seen.")
    lowest = float(np.percentile([likeness.ssim for likeness in found], OUTSIDE_PERCENTILE))
    allowed = catalogue.limits("outside_mouth").warn_below or 0.0
    evidence = [
        Span(start_seconds=time_seconds, end_seconds_exclusive=time_seconds + picture.frame_seconds)
        for time_seconds, ssim in found
        if ssim < allowed
    ]
    message = f"Besides the mouth the head is as it was: SSIM {lowest:.3f} or more in 95 % of {len(found)} frames."
    return catalogue.measured("outside_mouth", lowest, message, evidence=evidence if lowest < allowed else ())


def seams(catalogue: Catalogue, picture: Picture, untouched: Sequence[FrameRange]) -> QACheck:
    """Where lip-sync begins or ends, the mouth must not change more than it does when it speaks."""
    changes = picture.mouth.changes
    edges = {edge for part in untouched for edge in (part.start_frame, part.end_frame_exclusive)}
    inside = sorted(edge for edge in edges if 0 < edge < len(changes) and np.isfinite(changes[edge]))
    if not inside:
        return catalogue.skipped("seams", "Lip-sync neither begins nor ends within the picture.")
    usual = np.delete(changes, inside)
    usual = usual[np.isfinite(usual)]
    quick = max(float(np.percentile(usual, QUICK_PERCENTILE)) if usual.size else 0.0, LEAST_CHANGE)
    ratios = [float(changes[edge]) / quick for edge in inside]
    times = picture.times_seconds
    allowed = catalogue.limits("seams").warn_above or 0.0
    evidence = [
        Span(start_seconds=float(times[edge - 1]), end_seconds_exclusive=float(times[edge]))
        for edge, ratio in zip(inside, ratios, strict=True)
        if ratio > allowed
    ]
    message = (
        f"At {len(inside)} borders the mouth changes by up to {max(ratios):.2f} of its quickest movement in speech."
    )
    return catalogue.measured("seams", max(ratios), message, evidence=evidence, digits=2)


def _shrunk(span: Span) -> Span | None:
    start = span.start_seconds + EDGE_OF_SPEECH_SECONDS
    end = span.end_seconds_exclusive - EDGE_OF_SPEECH_SECONDS
    return Span(start_seconds=start, end_seconds_exclusive=end) if end > start else None


def _shared(first: Span, second: Span) -> Span | None:
    start = max(first.start_seconds, second.start_seconds)
    end = min(first.end_seconds_exclusive, second.end_seconds_exclusive)
    return Span(start_seconds=start, end_seconds_exclusive=end) if end > start else None
