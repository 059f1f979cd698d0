"""A peer in another language, with its own Avro library: what a subscriber or publisher of these topics would write.

decode   framed values as base64 lines on stdin -> one JSON line each
encode   JSON lines on stdin -> framed values as base64 lines
consume  reads committed records of a topic -> one JSON line each
produce  JSON lines on stdin -> records of a topic

In JSON, decimals are text, bytes are base64 and timestamps are epoch milliseconds.
"""

import argparse
import base64
import datetime
import decimal
import io
import json
import pathlib
import struct
import sys
import time

import fastavro
import fastavro.schema

RELEASED = pathlib.Path(__file__).resolve().parents[3] / "schemas" / "released"
SINGLE_OBJECT_MARK = b"\xc3\x01"
CONFLUENT_MARK = b"\x00"


def fingerprint_of(schema):
    """The eight bytes that single-object encoding carries."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


def released_schemas():
    schemas = (json.loads(path.read_text()) for path in RELEASED.glob("*.avsc"))
    return {fingerprint_of(schema): schema for schema in schemas}


def decode(value, framing, schema, released):
    if framing == "single-object":
        if value[:2] != SINGLE_OBJECT_MARK:
            raise ValueError(f"not single-object encoding: {value[:2].hex()}")
        writer = released.get(value[2:10])
        if writer is None:
            raise ValueError(f"no released schema has the fingerprint {value[2:10].hex()}")
        body = value[10:]
    else:
        if value[:1] != CONFLUENT_MARK:
            raise ValueError(f"not Confluent framing: {value[:1].hex()}")
        writer, body = schema, value[5:]
    reader = io.BytesIO(body)
    record = fastavro.schemaless_reader(reader, fastavro.parse_schema(writer), None)
    if reader.read():
        raise ValueError("bytes after the end of the record")
    return record


def encode(record, framing, schema, schema_id):
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), from_json(schema, record, {}))
    if framing == "single-object":
        return SINGLE_OBJECT_MARK + fingerprint_of(schema) + body.getvalue()
    return CONFLUENT_MARK + struct.pack(">I", schema_id) + body.getvalue()


def from_json(schema, value, named):
    """Turns base64 into bytes and decimal text into Decimal where the schema says so."""
    if value is None:
        return None
    if isinstance(schema, list):
        return from_json(next(branch for branch in schema if branch != "null"), value, named)
    if isinstance(schema, str):
        if schema == "bytes":
            return base64.b64decode(value)
        schema = named.get(schema.split(".")[-1])
        return from_json(schema, value, named) if schema else value
    kind = schema["type"]
    if kind == "record":
        named[schema["name"]] = schema
        # In the schema's order, so that a type is known before it is referred to; fastavro fills in defaults.
        converted = {}
        for field in schema["fields"]:
            remember_names(field["type"], named)
            if field["name"] in value:
                converted[field["name"]] = from_json(field["type"], value[field["name"]], named)
        return converted
    if kind == "array":
        return [from_json(schema["items"], item, named) for item in value]
    if kind == "map":
        return {key: from_json(schema["values"], item, named) for key, item in value.items()}
    if schema.get("logicalType") == "decimal":
        return decimal.Decimal(value)
    return base64.b64decode(value) if kind == "bytes" else value


def remember_names(schema, named):
    if isinstance(schema, list):
        for branch in schema:
            remember_names(branch, named)
    elif isinstance(schema, dict):
        if "name" in schema:
            named[schema["name"]] = schema
        for field in schema.get("fields", []):
            remember_names(field["type"], named)
        remember_names(schema.get("items"), named)
        remember_names(schema.get("values"), named)


def to_json(value):
    if isinstance(value, decimal.Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime.datetime):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return (value - epoch) // datetime.timedelta(milliseconds=1)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"no JSON for {type(value)}")


def print_json(value):
    print(json.dumps(value, default=to_json), flush=True)


def consume(options, schema, released):
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        options.topic,
        bootstrap_servers=options.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=1000,
    )
    seen = 0
    deadline = time.monotonic() + options.timeout
    while seen < options.count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seen} of {options.count} records in {options.timeout} s")
        for message in consumer:
            print_json(
                {
                    "partition": message.partition,
                    "offset": message.offset,
                    "key": message.key.decode() if message.key is not None else None,
                    "headers": {name: value.decode() for name, value in message.headers},
                    "record": decode(message.value, options.framing, schema, released),
                }
            )
            seen += 1
            if seen == options.count:
                break
    consumer.close()


def produce(options, schema):
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=options.bootstrap, acks="all")
    headers = [tuple(header.split("=", 1)) for header in options.header]
    for line in sys.stdin:
        producer.send(
            options.topic,
            key=options.key.encode() if options.key is not None else None,
            value=encode(json.loads(line), options.framing, schema, options.schema_id),
            headers=[(name, value.encode()) for name, value in headers],
        ).get(timeout=options.timeout)
    producer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["decode", "encode", "consume", "produce"])
    parser.add_argument("--framing", choices=["single-object", "confluent"], default="single-object")
    parser.add_argument("--schema", help="an .avsc file; not needed to read single-object encoding")
    parser.add_argument("--schema-id", type=int, default=1, help="what to write in Confluent framing")
    parser.add_argument("--bootstrap")
    parser.add_argument("--topic")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--key")
    parser.add_argument("--header", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--timeout", type=float, default=60, help="seconds")
    options = parser.parse_args()
    schema = json.loads(pathlib.Path(options.schema).read_text()) if options.schema else None

    if options.command == "decode":
        released = released_schemas()
        for line in sys.stdin:
            print_json(decode(base64.b64decode(line), options.framing, schema, released))
    elif options.command == "encode":
        for line in sys.stdin:
            value = encode(json.loads(line), options.framing, schema, options.schema_id)
            print(base64.b64encode(value).decode())
    elif options.command == "consume":
        consume(options, schema, released_schemas())
    else:
        produce(options, schema)


if __name__ == "__main__":
    main()
