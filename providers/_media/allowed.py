"""Containers and codecs that are decoded at all. What is missing here is refused by name, never tried."""

import av

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,wav,w64,aiff,flac,mp3,ogg,aac,amr"
"""Demuxers by libav's names. Never a playlist (hls, concat, dash), never a session (sdp, rtsp), never images."""

VIDEO_CODECS = frozenset(
    {
        *("h264", "hevc", "vp8", "vp9", "av1", "theora", "h263", "mpeg4", "msmpeg4v3"),
        *("mpeg1video", "mpeg2video", "mjpeg", "prores", "dnxhd", "dvvideo", "ffv1", "rawvideo"),
    }
)
AUDIO_CODECS = frozenset(
    {
        *("aac", "mp3", "mp2", "ac3", "eac3", "flac", "alac", "vorbis", "opus"),
        *("amr_nb", "amr_wb", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms"),
        *(name for name in av.codecs_available if name.startswith("pcm_")),
    }
)
COVER_CODECS = frozenset({"png", "mjpeg"})
"""Of the picture that music files carry; it is never decoded."""

_OTHER_DECODERS = {"mp3float", "mp2float", "libdav1d", "amrnb", "amrwb", "mov_text", "subrip", "ass", "webvtt", "text"}
DECODERS = ",".join(sorted(VIDEO_CODECS | AUDIO_CODECS | _OTHER_DECODERS))
"""For libav's own look at the streams while it opens a file."""
