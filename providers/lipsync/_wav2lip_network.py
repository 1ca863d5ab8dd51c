"""The Wav2Lip generator in PyTorch: sound and a face whose lower half is hidden in, the whole face out.

Prajwal et al., "A Lip Sync Expert Is All You Need for Speech to Lip Generation In the Wild" (2020). The names of the
parts are those of the released checkpoints, so that these load as they are. Not here: files, speed, pictures.
"""

from typing import cast

import torch
from torch import Tensor, nn

FACE_PX = 96
MEL_BANDS = 80
MEL_WINDOW = 16  # columns, 200 ms

Cuts = tuple[tuple[int, int], ...]
"""Where a block of the decoder joins its mirror of the encoder: rows that each of the two loses from the top."""
WHOLE: Cuts = ((0, 0),) * 7
LOWER: Cuts = (*WHOLE[:3], (2, 2), (2, 6), (3, 15), (0, 30))
"""A fifth less to compute. The output begins with row 30; zeros beside the cuts reach as far as row 32, so that from
``EXACT_FROM_ROW`` on it is what it would be."""
LOWER_FROM_ROW, EXACT_FROM_ROW = 30, 33


class ConvBlock(nn.Module):
    """Convolution, batch norm, the input again where ``residual``, ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int | tuple[int, int] = 1,
        padding: int = 1,
        *,
        residual: bool = False,
    ) -> None:
        super().__init__()
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding)
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv_block(x)  # (B, inputs, H, W) -> (B, outputs, H / stride, W / stride)
        if self.residual:
            out = out + x  # (B, outputs, H, W), inputs == outputs
        return torch.relu(out)


class UpBlock(nn.Module):
    """Transposed convolution, batch norm, ReLU; twice the size by default."""

    def __init__(self, inputs: int, outputs: int, stride: int = 2, padding: int = 1, output_padding: int = 1) -> None:
        super().__init__()
        convolution = nn.ConvTranspose2d(inputs, outputs, 3, stride, padding, output_padding)
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv_block(x))  # (B, inputs, H, W) -> (B, outputs, 2H, 2W)


def _same(channels: int) -> ConvBlock:
    return ConvBlock(channels, channels, residual=True)


class Generator(nn.Module):
    """36.3 million parameters, 7.93 GFLOP per frame."""

    def __init__(self) -> None:
        super().__init__()
        self.face_encoder_blocks = nn.ModuleList(
            [
                nn.Sequential(ConvBlock(6, 16, kernel=7, padding=3)),  # (B, 16, 96, 96)
                nn.Sequential(ConvBlock(16, 32, stride=2), _same(32), _same(32)),  # (B, 32, 48, 48)
                nn.Sequential(ConvBlock(32, 64, stride=2), _same(64), _same(64), _same(64)),  # (B, 64, 24, 24)
                nn.Sequential(ConvBlock(64, 128, stride=2), _same(128), _same(128)),  # (B, 128, 12, 12)
                nn.Sequential(ConvBlock(128, 256, stride=2), _same(256), _same(256)),  # (B, 256, 6, 6)
                nn.Sequential(ConvBlock(256, 512, stride=2), _same(512)),  # (B, 512, 3, 3)
                nn.Sequential(ConvBlock(512, 512, padding=0), ConvBlock(512, 512, 1, padding=0)),  # (B, 512, 1, 1)
            ]
        )
        self.audio_encoder = nn.Sequential(
            ConvBlock(1, 32),  # (B, 32, 80, 16)
            _same(32),  # (B, 32, 80, 16)
            _same(32),  # (B, 32, 80, 16)
            ConvBlock(32, 64, stride=(3, 1)),  # (B, 64, 27, 16)
            _same(64),  # (B, 64, 27, 16)
            _same(64),  # (B, 64, 27, 16)
            ConvBlock(64, 128, stride=3),  # (B, 128, 9, 6)
            _same(128),  # (B, 128, 9, 6)
            _same(128),  # (B, 128, 9, 6)
            ConvBlock(128, 256, stride=(3, 2)),  # (B, 256, 3, 3)
            _same(256),  # (B, 256, 3, 3)
            ConvBlock(256, 512, padding=0),  # (B, 512, 1, 1)
            ConvBlock(512, 512, 1, padding=0),  # (B, 512, 1, 1)
        )
        # Before each block but the first its mirror in the encoder is joined: 1024 = 512 + 512, and so on.
        self.face_decoder_blocks = nn.ModuleList(
            [
                nn.Sequential(ConvBlock(512, 512, 1, padding=0)),  # (B, 512, 1, 1)
                nn.Sequential(UpBlock(1024, 512, 1, 0, 0), _same(512)),  # (B, 512, 3, 3)
                nn.Sequential(UpBlock(1024, 512), _same(512), _same(512)),  # (B, 512, 6, 6)
                nn.Sequential(UpBlock(768, 384), _same(384), _same(384)),  # (B, 384, 12, 12)
                nn.Sequential(UpBlock(512, 256), _same(256), _same(256)),  # (B, 256, 24, 24)
                nn.Sequential(UpBlock(320, 128), _same(128), _same(128)),  # (B, 128, 48, 48)
                nn.Sequential(UpBlock(160, 64), _same(64), _same(64)),  # (B, 64, 96, 96)
            ]
        )
        self.output_block = nn.Sequential(ConvBlock(80, 32), nn.Conv2d(32, 3, 1))  # (B, 3, 96, 96)

    def forward(self, mel: Tensor, face: Tensor, cuts: Cuts = WHOLE) -> Tensor:
        """The face that says the sound.

        Args:
            mel: (B, 1, 80, 16), -4..4.
            face: (B, 6, 96, 96), 0..1, BGR: the face with rows 48 and on black, then the face as it is.

        Returns:
            (B, 3, 96, 96), 0..1, BGR; of ``LOWER`` the rows from 30 on.
        """
        seen: list[Tensor] = []
        for encode in self.face_encoder_blocks:
            face = encode(face)  # (B, 16, 96, 96) down to (B, 512, 1, 1)
            seen.append(face)
        x = self.audio_encoder(mel)  # (B, 512, 1, 1)
        for decode, (top, top_of_seen) in zip(self.face_decoder_blocks, cuts, strict=True):
            x = decode(x)[:, :, top:]  # (B, 512, 1, 1) up to (B, 64, 96, 96)
            x = torch.cat((x, seen.pop()[:, :, top_of_seen:]), dim=1)  # (B, 1024, 1, 1) up to (B, 80, 96, 96)
        return torch.sigmoid(self.output_block(x))  # (B, 3, 96, 96)


def folded(generator: Generator) -> Generator:
    """The same function without batch norms: each is folded into the convolution before it. Changes its argument.

    Its weights are new ones: those of a file that was mapped into memory are let go.
    """
    generator.eval()
    for block in generator.modules():
        if isinstance(block, ConvBlock | UpBlock):
            convolution, norm = block.conv_block
            _fold(cast(nn.Conv2d | nn.ConvTranspose2d, convolution), cast(nn.BatchNorm2d, norm))
            block.conv_block[1] = nn.Identity()
    last = cast(nn.Conv2d, generator.output_block[1])
    last.weight, last.bias = _values(last.weight.clone()), _values(cast(Tensor, last.bias).clone())
    return generator


@torch.no_grad()
def _fold(convolution: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> None:
    """norm(conv(x)) = scale * (conv(x) - mean) + shift, the small terms in float64."""
    mean, variance = cast(Tensor, norm.running_mean).double(), cast(Tensor, norm.running_var).double()  # (outputs,)
    scale = norm.weight.double() / torch.sqrt(variance + norm.eps)  # (outputs,)
    is_transposed = isinstance(convolution, nn.ConvTranspose2d)  # its weight is (inputs, outputs, k, k)
    per_output = (1, -1, 1, 1) if is_transposed else (-1, 1, 1, 1)
    bias = cast(Tensor, convolution.bias)  # (outputs,)
    dtype = convolution.weight.dtype
    convolution.bias = _values((scale * (bias.double() - mean) + norm.bias.double()).to(dtype))
    convolution.weight = _values(convolution.weight * scale.view(per_output).to(dtype))


def _values(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)
