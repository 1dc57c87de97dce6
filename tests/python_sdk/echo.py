"""Reads messages with the official Python SDK's types and says what it sees.

In: a line per message, `request HEX` or `response HEX`. Out: a line of JSON per message: the message as protobuf's
JSON mapping has it, and the bytes into which Python encodes it.
"""

import json
import sys

from crossplane.function.proto.v1 import run_function_pb2
from google.protobuf import json_format

TYPES = {
    "request": run_function_pb2.RunFunctionRequest,
    "response": run_function_pb2.RunFunctionResponse,
}

for line in sys.stdin:
    kind, _, encoded = line.strip().partition(" ")
    message = TYPES[kind].FromString(bytes.fromhex(encoded))
    seen = {
        "json": json_format.MessageToDict(message),
        "bytes": message.SerializeToString(deterministic=True).hex(),
    }
    print(json.dumps(seen))
