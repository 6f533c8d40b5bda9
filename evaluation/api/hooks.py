"""What the tester of the API must know of the media types of this API."""

import schemathesis
from hypothesis import strategies as st

# The smallest command: without it nearly every module would be refused.
COMMAND = b'(module (func (export "_start")))'

schemathesis.serializer.alias("application/wasm", "application/octet-stream")
schemathesis.openapi.media_type(
    "application/wasm", st.one_of(st.just(COMMAND), st.binary(max_size=64))
)
