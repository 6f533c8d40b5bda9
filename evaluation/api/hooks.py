"""What the tester of the API must know of the media types of this API."""

import io
import zipfile

import schemathesis
from hypothesis import strategies as st

# The smallest command: without it nearly every module would be refused.
COMMAND = b'(module (func (export "_start")))'


def archive():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.writestr("a.txt", "a")
    return packed.getvalue()


def field(number, content):
    """A field of a protobuf message: bytes, text, or a message."""
    content = content.encode() if isinstance(content, str) else content
    return bytes([number << 3 | 2, len(content)]) + content


# Two requests in one, as each passes over what it doesn't know: a file to be stored
# (its field 1 is read as a task's description otherwise) and a task.
FILE = field(1, "proto.wasm") + field(2, "application/wasm") + field(3, COMMAND)
TASK = field(1, field(1, "hello.wasm")) + field(2, "hello") + field(3, "A=1")
MESSAGE = field(1, FILE) + field(3, TASK)

for kind, good in [
    ("application/wasm", COMMAND),
    ("application/zip", archive()),
    ("application/proto", MESSAGE),
]:
    schemathesis.serializer.alias(kind, "application/octet-stream")
    schemathesis.openapi.media_type(kind, st.one_of(st.just(good), st.binary(max_size=64)))
