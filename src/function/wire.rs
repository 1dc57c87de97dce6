//! Lazy reader and direct writer of `google.protobuf.Struct` bytes.
