"""A title drawn over the first seconds of a video. The text is drawn as it stands: no filter string, no mark-up."""

import importlib.util
import unicodedata
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from contracts.artifacts import Box

Bgr = npt.NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SHOWN_SECONDS = 3.0
FADE_SECONDS = 0.4
SAFE_MARGIN = 0.05  # of width and height on each side (EBU R 95, title-safe area)
FONT_SHARE = 0.065  # of the short side, for the first try
SMALLEST_FONT_PX = 9
BLOCK_SHARE = 0.28  # of the safe height, clear of most mouths: a long title shrinks until it fits
LINE_SPACING = 1.25
ELLIPSIS = "..."  # three full stops: every font has them
TEXT_COLOR = (255, 255, 255, 255)
PLATE_COLOR = (16, 18, 24, 150)
FONT_PACKAGE = ("font_source_sans_pro", "files/SourceSansPro-Regular.ttf")  # Latin, Greek, Cyrillic; used if installed


class TitleOverlay:
    """A title prepared for one picture size: ``draw`` blends it into frames.

    Args:
        text: any text; line breaks are kept, other control characters become spaces.
        width, height: pixels of the frames.
        shown_seconds: from the first frame on, fades included.
        is_at_top: in the upper safe area instead of the lower one.
        font_path: a TrueType or OpenType file; None is the package's font, else Pillow's own, which knows only ASCII.

    A letter that the font lacks is drawn without its accent, else left out; ``missing_characters`` lists them.
    """

    def __init__(
        self,
        text: str,
        *,
        width: int,
        height: int,
        shown_seconds: float = SHOWN_SECONDS,
        is_at_top: bool = False,
        font_path: Path | None = None,
    ) -> None:
        self.shown_seconds = shown_seconds
        font_path = font_path or packaged_font()
        drawable, _ = _with_glyphs(printable(text), _font(32, font_path))
        image = _drawn_title(drawable, width, height, is_at_top, font_path)
        left, top, right, bottom = image.getbbox() or (0, 0, 1, 1)
        self.box = Box(x=left, y=top, width=right - left, height=bottom - top)
        patch = np.asarray(image.crop((left, top, right, bottom)), np.float32)  # (h, w, 4), RGBA
        self._columns, self._rows = slice(left, right), slice(top, bottom)
        self._bgr = np.ascontiguousarray(patch[:, :, 2::-1])
        self._alpha = patch[:, :, 3:] / 255.0

    def draw(self, frame: Bgr, time_seconds: float) -> Bgr:
        """The frame with the title as it stands at this time; the frame itself when the title is gone."""
        opacity = self.opacity(time_seconds)
        if opacity <= 0:
            return frame
        drawn = frame.copy()
        under = drawn[self._rows, self._columns].astype(np.float32)
        alpha = self._alpha * np.float32(opacity)
        drawn[self._rows, self._columns] = np.rint(under + (self._bgr - under) * alpha).astype(np.uint8)
        return drawn

    def opacity(self, time_seconds: float) -> float:
        """0..1: full from the first frame (a poster shows it), faded out at the end."""
        left = self.shown_seconds - time_seconds
        return float(np.clip(left / min(FADE_SECONDS, self.shown_seconds), 0.0, 1.0))


def printable(text: str) -> str:
    """Line breaks kept, other control characters as spaces, invisible format characters gone; trimmed."""
    lines = ["".join(_visible(char) for char in line) for line in text.splitlines()]
    return "\n".join(" ".join(line.split()) for line in lines).strip("\n")


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    return " " if category == "Cc" else "" if category in {"Cf", "Cs", "Co"} else char


def missing_characters(text: str, font_path: Path | None = None) -> str:
    """The characters that the font lacks, each once."""
    return _with_glyphs(printable(text), _font(32, font_path or packaged_font()))[1]


def packaged_font() -> Path | None:
    """The font file of ``FONT_PACKAGE`` where that package is installed."""
    name, file = FONT_PACKAGE
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent / file if found and found.origin else None


def _with_glyphs(text: str, font: Font) -> tuple[str, str]:
    """The text as this font can draw it, and the characters of it that the font lacks, each once."""
    box = _glyph(font, "\uffff")
    drawn: list[str] = []
    missing: dict[str, None] = {}
    for char in text:
        if char.isspace() or _glyph(font, char) != box:
            drawn.append(char)
            continue
        missing[char] = None
        plain = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
        drawn.append(plain if plain and all(_glyph(font, part) != box for part in plain) else "")
    return printable("".join(drawn)), "".join(missing)


def _glyph(font: Font, char: str) -> bytes:
    image = Image.new("L", (64, 64))
    ImageDraw.Draw(image).text((8, 8), char, font=font, fill=255)
    return image.tobytes()


def _drawn_title(text: str, width: int, height: int, is_at_top: bool, font_path: Path | None) -> Image.Image:
    """The text on its plate in a corner of the safe area; transparent elsewhere: RGBA, the size of the frame."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    if not text:
        return image
    draw = ImageDraw.Draw(image)
    safe_width, safe_height = width * (1 - 2 * SAFE_MARGIN), height * (1 - 2 * SAFE_MARGIN)
    font, lines, size = _fitted(draw, text, safe_width, safe_height, font_path)
    pad = size * 0.45
    line_height = size * LINE_SPACING
    block_width = max(draw.textlength(line, font=font) for line in lines)
    left = width * SAFE_MARGIN + pad
    block_height = line_height * len(lines)
    top = height * SAFE_MARGIN + pad if is_at_top else height * (1 - SAFE_MARGIN) - pad - block_height
    bottom = top + block_height
    plate = (left - pad, top - pad, left + block_width + pad, bottom + pad)
    draw.rounded_rectangle(plate, radius=size * 0.3, fill=PLATE_COLOR)
    for number, line in enumerate(lines):
        place = (left, top + line_height * (number + 0.5))
        draw.text(place, line, font=font, fill=TEXT_COLOR, anchor="lm", embedded_color=False)
    return image


def _fitted(
    draw: ImageDraw.ImageDraw, text: str, safe_width: float, safe_height: float, font_path: Path | None
) -> tuple[Font, list[str], float]:
    """The largest font at which the wrapped text fits; the smallest one cuts what is too much."""
    size = max(SMALLEST_FONT_PX, min(safe_width, safe_height) * FONT_SHARE)
    while True:
        font = _font(size, font_path)
        width = safe_width - size * 0.9
        lines = _wrapped(draw, text, font, width)
        room = max(1, int((safe_height * BLOCK_SHARE - size * 0.9) / (size * LINE_SPACING)))
        if len(lines) <= room or size <= SMALLEST_FONT_PX:
            return font, _cut(draw, lines, room, font, width), size
        size = max(SMALLEST_FONT_PX, size * 0.9)


def _font(size: float, font_path: Path | None) -> Font:
    return ImageFont.load_default(size) if font_path is None else ImageFont.truetype(str(font_path), size)


def _wrapped(draw: ImageDraw.ImageDraw, text: str, font: Font, width: float) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if draw.textlength(longer, font=font) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *full, line = _broken(draw, word, font, width)
            lines.extend(full)
        lines.append(line)
    return lines


def _broken(draw: ImageDraw.ImageDraw, word: str, font: Font, width: float) -> list[str]:
    """A word wider than the line, in pieces that fit; at least one character each."""
    pieces = [""]
    for char in word:
        if pieces[-1] and draw.textlength(pieces[-1] + char, font=font) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces


def _cut(draw: ImageDraw.ImageDraw, lines: list[str], room: int, font: Font, width: float) -> list[str]:
    """At most ``room`` lines; an ellipsis says that there was more."""
    if len(lines) <= room:
        return lines
    last = lines[room - 1]
    while last and draw.textlength(last + ELLIPSIS, font=font) > width:
        last = last[:-1]
    return [*lines[: room - 1], last.rstrip() + ELLIPSIS]
