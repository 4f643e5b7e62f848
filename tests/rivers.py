"""Makes traces/examples/rivers.jsonl anew: a run to look at, with what a tree can go through.

python -m tests.rivers

The real command asks, over OpenAI's own SDK; a server on loopback that stands behind a proxy is
OpenAI for it, and says what is written here, as slowly as a model does.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.golden import FOLDER
from tests.loopback import Reply, chat, read

NAME = "rivers"
ROOT = "Which rivers cross both France and Germany?"
VOSGES = "Which rivers that rise in the Vosges reach Germany?"
RHINE = "Where does the Rhine touch France, and where Germany?"
LORRAINE = "Which rivers cross the border between Lorraine and the Saarland?"
ALSACE = "Which rivers cross the border between the Palatinate and Alsace?"
MEUSE = "Does the Meuse, which rises in France, touch Germany anywhere?"
STREAMS = "Name every brook, however small, that crosses the border between France and Germany."
MOSELLE = "Through which countries does the Moselle flow?"
SAAR = "Through which countries does the Saar flow?"
BLIES = "Where does the Blies rise, and where does it end?"
MEURTHE = "Does the Meurthe, which rises in the Vosges, leave France?"
NIED = "Where does the Nied rise, and where does it end?"
LAUTER = "Where does the Lauter of the Palatinate rise, and where does it end?"
COURSE = "Through which countries does the Meuse flow, from its source to its mouth?"
STRETCH = "How long is the stretch of the Rhine that is the border of France and Germany?"
KILOMETRES = "How many kilometres is it down the Rhine from Basel to the mouth of the Lauter?"
WISSEMBOURG = "Does the Lauter of the Palatinate pass Wissembourg? Answer yes or no."

OPTIONS = (
    *("--depth", "3", "-m", "openai:gpt-5.4-mini", "-s", "consult", "--budget", "2000calls"),
    *("--answer-tokens", "128", "--seed", "1"),
    *("--at", "2=factored", "--at", "1=verify/factored", "--at", "0=vote,k=5/direct"),
)
"""Rounds at the root, a check of each answer at level 1, a vote at level 0."""

ASKED = {
    VOSGES: (MOSELLE, SAAR, MEURTHE),
    RHINE: (STRETCH,),
    LORRAINE: (SAAR, BLIES, NIED, LORRAINE),
    ALSACE: (LAUTER,),
    MEUSE: (COURSE,),
    STRETCH: (KILOMETRES,),
    LAUTER: (WISSEMBOURG,),
}
"""By question: the sub-questions; none for all others."""

ROUNDS = ((VOSGES, RHINE, LORRAINE), (ALSACE, MEUSE, STREAMS))
"""What the root asks, turn by turn."""

SAID = {
    ROOT: (
        "Six rivers of some size do: the Rhine, the Moselle, the Saar, the Blies, the Nied and "
        "the Lauter. The Rhine is the border itself for about 184 km. The Meuse is not one of "
        "them: it leaves France for Belgium and the Netherlands."
    ),
    VOSGES: "The Moselle and the Saar: both rise in the Vosges and run on into Germany.",
    RHINE: (
        "From Basel to the mouth of the Lauter it is the border of the two, for about 184 km; "
        "from there on both of its banks are German."
    ),
    LORRAINE: "The Saar and the Nied flow from Lorraine into the Saarland, the Blies back.",
    ALSACE: "The Lauter: it comes from the Palatinate and ends in the Rhine at Lauterbourg.",
    MEUSE: "No. The Meuse flows through France, Belgium and the Netherlands only.",
    MOSELLE: (
        "Through France, past Épinal and Metz; then it is the border of Luxembourg and Germany; "
        "then through Germany, past Trier, to the Rhine at Koblenz."
    ),
    SAAR: (
        "Through France, where it rises below the Donon and is called Sarre, and Germany, past "
        "Saarbrücken, to the Moselle at Konz."
    ),
    MEURTHE: "No. It passes Lunéville and Nancy and ends in the Moselle at Pompey.",
    BLIES: "It rises in the north of the Saarland and ends in the Saar at Sarreguemines, France.",
    NIED: (
        "It comes of two streams that meet in Lorraine, and ends in the Saar at Rehlingen, in "
        "the Saarland."
    ),
    LAUTER: (
        "It rises in the Palatinate Forest, passes Wissembourg, and ends in the Rhine at "
        "Lauterbourg; from Wissembourg on it is nearly all border."
    ),
    COURSE: (
        "The Meuse flows through France, Belgium and the Netherlands. It passes near the German "
        "border in Limburg, and does not cross it."
    ),
    STRETCH: "About 184 km, from Basel to the mouth of the Lauter.",
    KILOMETRES: "About 184 km.",
    WISSEMBOURG: "Yes.",
    STREAMS: (
        "Beside the Rhine, Moselle, Saar, Blies, Nied and Lauter these cross it, from west to "
        "east: the Remel, which ends in the Nied; the Bist and the Rossel, which come from the "
        "coal basin round Creutzwald and Forbach and end in the Saar; the Schwalb and the Horn, "
        "which come together above Zweibrücken and reach the Blies; the Saarbach, in Alsace "
        "called Sauer, with the Steinbach that joins it; and of the ditches of the Bienwald, "
        "many of which have no name on any map, to begin with the"
    ),
}
"""By question: the reply to it."""

ERRED = {
    (COURSE, 0): (
        "The Meuse rises in France, flows through Belgium, then through Germany past Aachen, and "
        "ends in the Netherlands."
    ),
    (KILOMETRES, 1): "About 170 km.",
}
"""By question, and how often it was asked before: another reply."""

CHECKED = {
    MOSELLE: ("It flows past Metz in France, and past Trier in Germany.", "accept"),
    SAAR: ("It rises in the Vosges and ends in the Moselle at Konz.", "accept"),
    BLIES: ("I know both ends of it, but not on which bank Sarreguemines ends.", "unsure"),
    MEURTHE: ("Its mouth is in Lorraine, a good way from the border.", "accept"),
    LAUTER: ("Source, town and mouth are as I know them.", "accept"),
    STRETCH: ("The stones along the Rhine count from 168 at Basel to 352 there.", "accept"),
}
"""By question: what a check says of the answer, and its verdict."""

WRONG = (
    (
        "Aachen is not on the Meuse. From Liège it flows straight into the Netherlands, past "
        "Maastricht, and never enters Germany."
    ),
    "reject",
)
RIGHT = ("Pouilly, Verdun, Namur, Liège, Maastricht: none of them is in Germany.", "accept")


class Told:
    """What is said to each request, in the order in which they come."""

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()

    def __call__(self, body: Any) -> Reply:
        sent = "\n".join(message["content"] for message in body["messages"])
        question = re.findall(r"^Question: (.*)$", sent, re.MULTILINE)[-1]
        if 'into "verdict"' in sent:
            return self._check(sent, body)
        if "Make one move" in sent or "Make your last move" in sent:
            return reply(self._turn(question, last="last move" in sent), body)
        if "Write the sub-questions" in sent:
            questions = [_asked(text) for text in ASKED.get(question, ())]
            return reply(json.dumps({"questions": questions}), body)
        if question == MOSELLE and self._next("429") == 0:
            error = {"message": "Rate limit reached for requests", "type": "requests"}
            return Reply({"error": error}, 429, {"retry-after": "1"}, delay=0.2)
        text = ERRED.get((question, self._next(question)), SAID[question])
        return reply(text, body, "length" if question == STREAMS else "stop")

    def _next(self, name: str) -> int:
        self._times[name] += 1
        return self._times[name] - 1

    def _turn(self, question: str, *, last: bool) -> str:
        turn = self._next("turn")
        if last or turn >= len(ROUNDS):
            answer = {"move": "answer", "text": SAID[question]}
            return json.dumps(answer if last else {**answer, "questions": [], "last_round": False})
        asked = [_asked(text) for text in ROUNDS[turn]]
        return json.dumps({"move": "ask", "questions": asked, "last_round": False, "text": ""})

    def _check(self, sent: str, body: Any) -> Reply:
        if NIED in sent:
            return reply(None, body, refusal="I'm sorry, but I can't help with that.")
        if COURSE in sent:
            reason, verdict = WRONG if "Aachen" in sent.partition("Question: ")[0] else RIGHT
        else:
            reason, verdict = next(said for about, said in CHECKED.items() if about in sent)
        return reply(json.dumps({"reason": reason, "verdict": verdict}), body)


def _asked(text: str) -> dict[str, Any]:
    return {"question": text, "texts": []}


def reply(text: str | None, body: Any, finish: str = "stop", refusal: str | None = None) -> Reply:
    """A reply as OpenAI writes it; the longer it is, the later it comes."""
    prompt = sum(len(message["content"]) for message in body["messages"]) // 4
    said = text or refusal or ""
    written = body["max_completion_tokens"] if finish == "length" else max(1, len(said) // 4)
    tokens = {"prompt_tokens": prompt, "completion_tokens": written}
    data = chat(
        text,
        message={"refusal": refusal},
        choice={"finish_reason": finish},
        usage={**tokens, "total_tokens": sum(tokens.values())},
        model=body["model"],
    )
    return Reply(data, delay=0.3 + len(said) / 160)


async def stand_in(told: Told, certificate: Path, key: Path) -> asyncio.Server:
    """A proxy at the end of which the server is that of every name; TLS ends in it."""
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate, key)

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(secure)
        while (request := await read(reader)) is not None:
            answer = told(request.body)
            await asyncio.sleep(answer.delay)
            writer.writelines(answer.pieces())
            await writer.drain()
        writer.close()

    return await asyncio.start_server(meet, "127.0.0.1", 0)


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate that says it is OpenAI's, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    name = ("-subj", "/CN=api.openai.com", "-addext", "subjectAltName=DNS:api.openai.com")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *name)
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


async def hch(*words: str, **more: str) -> str:
    """What a command writes to stdout; `more` goes into its environment."""
    command = (sys.executable, "-m", "hch", *words)
    env = {**os.environ, **more}
    process = await asyncio.create_subprocess_exec(
        *command, env=env, stdout=asyncio.subprocess.PIPE
    )
    written, _ = await process.communicate()
    return written.decode()


async def make(to: Path) -> None:
    """Ask, and export."""
    with TemporaryDirectory() as made:
        certificate, key = certified(Path(made))
        server = await stand_in(Told(), certificate, key)
        store = ("--store", str(Path(made, "rivers.db")))
        port = server.sockets[0].getsockname()[1]
        env = {
            "OPENAI_API_KEY": "none",
            "HTTPS_PROXY": f"http://127.0.0.1:{port}",
            "SSL_CERT_FILE": str(certificate),
        }
        told = await hch("ask", ROOT, *OPTIONS, *store, "--json", **env)
        run = json.loads(told)["run"]
        await hch("export", run, *store, "--force", "-o", str(to))
        server.close()


if __name__ == "__main__":
    asyncio.run(make(FOLDER / f"{NAME}.jsonl"))
