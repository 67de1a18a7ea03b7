"""What a judge says, in the words of the stand-alone verifier."""

from protech.locate.bittorrent import judge as bittorrent
from protech.locate.ed2k import judge as ed2k


def said_of(judgement: bittorrent.Judgement | ed2k.Judgement) -> dict[str, object]:
    """Return a judgement in the verifier's words."""
    claims, proof = judgement.claims, judgement.proof
    client = judgement.user_hash if isinstance(judgement, ed2k.Judgement) else judgement.peer_id
    return {
        "level": int(judgement.level),
        "client": client and client.hex(),
        "claims": claims
        and {
            "held": claims.held,
            "total": claims.total,
            "listed_held": claims.listed_held,
            "listed_total": claims.listed_total,
            "bitfield_sha256": claims.bitfield_sha256.hex(),
        },
        "proof": proof
        and {
            "piece": proof.piece,
            "sha256": proof.sha256.hex(),
            "distinct_bytes": proof.distinct_bytes,
            "offset_bytes": proof.offset_bytes,
            "length_bytes": proof.length_bytes,
            "digest": proof.digest.hex(),
        },
    }
