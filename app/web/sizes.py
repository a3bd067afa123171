"""The largest sizes that requests may send, in bytes. That of a file of weights is the setting `checkpoint_mb`."""

from app.services.query_images import MAX_BYTES

MEGABYTE = 1024 * 1024
TEXT_LIMIT = MEGABYTE  # JSON and form fields
IMAGE_LIMIT = MAX_BYTES  # one image
UPLOAD_LIMIT = 512 * MEGABYTE  # the files of one request that adds to a gallery; they go to disk as they arrive
HEADER_LIMIT = 32 * 1024
FORM_OVERHEAD = 64 * 1024  # boundaries and part headers
