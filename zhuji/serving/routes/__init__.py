"""One file a protocol, found by walking this folder; each has `router(service) -> APIRouter`.

A JSON body was parsed and bounded at the door: `zhuji.serving.bodies.json_of(request)`; a pydantic parameter does too. Answer with
`failures.json_response`. Raise errors of the catalogue (`Refused`, `NotAnswerable`, …): the application tells them in one shape. Of a
listed model read `facts`: its `predictor` is there only where the service hands it over.
"""
