"""CASE/UCO: the findings of a case as JSON-LD, for tools that no maker owns; pure.

One investigation with its authorisations, and for each sighting of level 3 or 4 an action, a
connection between two ends, and a provenance record that names its place in the log. Nothing
below level 3 is in it, and a listed file is called by its entry, never by a key to fetch it.
The same records give the same bytes: every id is a UUID (version 5) of what it stands for.
Source: CASE 1.5, UCO 1.5 (case-utils 0.18 validates it in a conformance test).
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

LEAST_LEVEL = 3
"""Below it a record names nobody, and stays out."""

NAMESPACE = uuid.UUID("5e6b4a0e-52f7-5c0d-9d0e-1d1f6a1c7a54")
"""Of our ids; made once, and never changed."""

CONTEXT = {
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    "kb": "urn:uuid:",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
    "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
    "uco-location": "https://ontology.unifiedcyberontology.org/uco/location/",
    "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
    "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
    "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

SHA1_DIGITS = 40
"""A listed digest of this length is the SHA-1 of the very bytes; any other one that is not
their SHA-256 is of a tree over them (BEP 52), for which the vocabulary has no word."""

type Record = Mapping[str, Any]
type Node = dict[str, Any]


def bundle(records: Iterable[tuple[int, Record]]) -> str:
    """Return the findings in some records of one log, as JSON-LD text.

    Args:
        records: Each with its index, in order; of every kind.

    Raises:
        KeyError: A record lacks what every record of its kind has.
    """
    maker = _Maker()
    for index, record in records:
        if record["kind"] == "run":
            maker.run(index, record)
        elif record["kind"] == "sighting" and record["level"] >= LEAST_LEVEL:
            maker.sighting(index, record)
    document = {"@context": CONTEXT, "@graph": maker.graph()}
    return (
        json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"
    )


class _Maker:
    """The graph as it grows; each node stands in it once."""

    def __init__(self) -> None:
        self._case = ""
        self._log = ""
        self._nodes: dict[str, Node] = {}
        self._authorisations: list[Node] = []
        self._tools: dict[int, Node] = {}
        self._first_at = ""

    def graph(self) -> list[Node]:
        """Return the investigation and all it holds."""
        investigation: Node = {
            "case-investigation:investigationForm": "case",
            "uco-core:name": self._case,
            "case-investigation:relevantAuthorization": self._authorisations,
            "uco-core:object": [{"@id": one} for one in self._nodes],
        }
        if self._first_at:
            investigation["uco-core:startTime"] = _moment(self._first_at)
        self._add("case-investigation:Investigation", "investigation", **investigation)
        return list(self._nodes.values())

    def run(self, index: int, record: Record) -> None:
        """Take what a run stood on."""
        self._case = record["case"]
        self._first_at = self._first_at or record["at"]
        self._log = self._log or f"{self._case} {self._first_at}"
        document = record["authorisation"]
        authorisation = {
            "case-investigation:authorizationType": str(document.get("legal_basis", "")),
            "case-investigation:authorizationIdentifier": record["authorisation_sha256"],
        }
        for name, keys in (("start", ("not_before", "from")), ("end", ("not_after", "to"))):
            said = next((document[key] for key in keys if key in document), None)
            if said:
                authorisation[f"uco-core:{name}Time"] = _moment(said)
        identity = f"authorisation {record['authorisation_sha256']}"
        node = self._add("case-investigation:Authorization", identity, **authorisation)
        if node not in self._authorisations:
            self._authorisations.append(node)
        build = record["build"]
        self._tools[index] = self._add(
            "uco-tool:Tool",
            f"tool {build['version']} {build['commit']}",
            **{
                "uco-core:name": "Protech locate",
                "uco-core:description": [f"commit {build['commit']}"],
                "uco-tool:version": build["version"],
            },
        )

    def sighting(self, index: int, record: Record) -> None:
        """Take one conversation."""
        connection = self._connection(index, record)
        listed = self._listed_file(record)
        piece = self._piece(index, record, listed) if record["proof"] else []
        provenance = self._add(
            "case-investigation:ProvenanceRecord",
            f"provenance {index}",
            **{
                "case-investigation:exhibitNumber": f"log record {index}",
                "uco-core:description": _said(record),
                "uco-core:object": [connection, *piece],
            },
        )
        action = {
            "uco-core:name": f"Conversation with a peer, level {record['level']}",
            "uco-action:startTime": _moment(record["started_at"]),
            "uco-action:endTime": _moment(record["ended_at"]),
            "uco-action:object": [listed],
            "uco-action:result": [connection, *piece, provenance],
            "uco-action:instrument": [self._tools[record["run"]]],
        }
        if place := self._place(record):
            action["uco-action:location"] = [place]
        self._add("case-investigation:InvestigativeAction", f"action {index}", **action)

    def _connection(self, index: int, record: Record) -> Node:
        peer, local = record["peer"], record["local"]
        facet = {
            "uco-observable:dst": self._address(peer["address"]),
            "uco-observable:destinationPort": peer["port"],
            "uco-observable:startTime": _moment(record["started_at"]),
            "uco-observable:endTime": _moment(record["ended_at"]),
        }
        if local is not None:
            facet["uco-observable:src"] = self._address(local["address"])
            facet["uco-observable:sourcePort"] = local["port"]
        if record["transport"]:
            facet["uco-observable:protocols"] = self._protocols(index, record)
        return self._observable(
            "NetworkConnection", f"connection {index}", "NetworkConnectionFacet", facet
        )

    def _protocols(self, index: int, record: Record) -> Node:
        """Return which protocols carried a conversation, by layer."""
        carried = record["transport"]
        layers = {
            "application": record["network"],
            "transport": "udp" if carried.startswith("utp") else "tcp",
            "carried_by": carried,
        }
        entries = [
            {
                "@type": "uco-types:ControlledDictionaryEntry",
                "@id": _id(f"{self._log} protocol {index} {name}"),
                "uco-types:key": name,
                "uco-types:value": value,
            }
            for name, value in layers.items()
        ]
        return {
            "@type": "uco-types:ControlledDictionary",
            "@id": _id(f"{self._log} protocols {index}"),
            "uco-types:entry": entries,
        }

    def _address(self, address: str) -> Node:
        kind = "IPv6Address" if ":" in address else "IPv4Address"
        facet = {"uco-observable:addressValue": address}
        return self._observable(kind, f"address {address}", f"{kind}Facet", facet)

    def _listed_file(self, record: Record) -> Node:
        """Return a listed file by the name that its list gives it."""
        entry, listed = record["entry"], record["list"]
        reference = {
            "@type": "uco-core:ExternalReference",
            "@id": _id(f"{self._log} reference {entry}"),
            "uco-core:definingContext": (
                f"signed list {listed['name']}, version {listed['version']}"
            ),
            "uco-core:externalIdentifier": entry,
        }
        return self._add(
            "uco-observable:File",
            f"entry {entry}",
            **{"uco-core:externalReference": [reference]},
        )

    def _piece(self, index: int, record: Record, listed: Node) -> list[Node]:
        """Return the piece that was delivered, and that it is a part of the listed file."""
        proof = record["proof"]
        hashes = [self._hash(index, "SHA256", proof["sha256"])]
        if len(proof["digest"]) == SHA1_DIGITS:
            hashes.append(self._hash(index, "SHA1", proof["digest"]))
        content = {
            "uco-observable:sizeInBytes": proof["length_bytes"],
            "uco-observable:hash": hashes,
        }
        piece = self._observable(
            "ObservableObject", f"piece {index}", "ContentDataFacet", content
        )
        where = {
            "uco-observable:rangeOffset": proof["offset_bytes"],
            "uco-observable:rangeSize": proof["length_bytes"],
        }
        facet = self._facet("DataRangeFacet", f"range {index}", where)
        relation = self._add(
            "uco-observable:ObservableRelationship",
            f"part {index}",
            **{
                "uco-core:source": piece,
                "uco-core:target": listed,
                "uco-core:kindOfRelationship": "Contained_Within",
                "uco-core:isDirectional": True,
                "uco-core:hasFacet": [facet],
            },
        )
        return [piece, relation]

    def _hash(self, index: int, method: str, value: str) -> Node:
        return {
            "@type": "uco-types:Hash",
            "@id": _id(f"{self._log} hash {index} {method}"),
            "uco-types:hashMethod": method,
            "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": value.upper()},
        }

    def _place(self, record: Record) -> Node | None:
        """Return the country that the databases agree on; nothing where they do not."""
        country = (record["place"] or {}).get("country")
        if not country:
            return None
        facet = {
            "@type": "uco-location:SimpleAddressFacet",
            "@id": _id(f"{self._log} place facet {country}"),
            "uco-location:country": country,
        }
        return self._add(
            "uco-location:Location", f"place {country}", **{"uco-core:hasFacet": [facet]}
        )

    def _observable(self, kind: str, identity: str, facet: str, values: Node) -> Node:
        held = [self._facet(facet, f"{identity} {facet}", values)]
        return self._add(f"uco-observable:{kind}", identity, **{"uco-core:hasFacet": held})

    def _facet(self, name: str, identity: str, values: Node) -> Node:
        identifier = _id(f"{self._log} facet {identity}")
        return {"@type": f"uco-observable:{name}", "@id": identifier, **values}

    def _add(self, kind: str, identity: str, **values: object) -> Node:
        """Put a node into the graph, once, and return what refers to it."""
        identifier = _id(f"{self._log} {identity}")
        self._nodes.setdefault(identifier, {"@type": kind, "@id": identifier, **values})
        return {"@id": identifier}


def _said(record: Record) -> list[str]:
    """Return what has no field of its own in the vocabulary."""
    clock = record["clock"]
    said = [
        f"evidence level {record['level']}, outcome {record['outcome']}",
        f"clock synchronised: {clock['synchronised']}, error in ms: {clock['error_ms']}",
    ]
    if claims := record["claims"]:
        said.append(
            f"declared pieces of the listed file: {claims['listed_held']} of"
            f" {claims['listed_total']}"
        )
    proof = record["proof"]
    if proof and len(proof["digest"]) != SHA1_DIGITS and proof["digest"] != proof["sha256"]:
        said.append(f"digest in the list, of a tree over the piece: {proof['digest']}")
    return said


def _id(identity: str) -> str:
    return f"kb:{uuid.uuid5(NAMESPACE, identity)}"


def _moment(text: str) -> Node:
    return {"@type": "xsd:dateTime", "@value": text}
