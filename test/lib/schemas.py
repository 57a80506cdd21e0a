"""docs/schemas, for the tests that have documents of real agents."""
import json
import os

import jsonschema

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIR = os.path.join(TOP, "docs/schemas")


def load():
    """Every schema by its name, itself a valid one."""
    schemas = {}
    for name in sorted(os.listdir(DIR)):
        with open(os.path.join(DIR, name), encoding="utf-8") as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        schemas[name.removesuffix(".json")] = jsonschema.Draft202012Validator(schema)
    return schemas


def breaches(validator, doc):
    """What a document has otherwise than its schema, in words."""
    return [f"{e.json_path}: {e.message}"[:300] for e in validator.iter_errors(doc)]
