"""The known differences of different.txt: read, compared with what came, and written anew."""

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent / "different.txt"
UNEXPLAINED = "Not yet explained."


@dataclass
class Different:
    """A statement that some clients see answered otherwise, and why."""

    reason: str
    clients: list[str]
    statement: str


def read() -> tuple[list[str], list[Different]]:
    """The head of the file, which ends at the first empty line, and its entries."""
    text = FILE.read_text()
    head, _, body = text.partition("\n\n")
    entries, reason = [], ""
    for line in body.splitlines():
        if line.startswith("# "):
            reason = line.removeprefix("# ")
        elif line:
            clients, statement = line.split("\t", 1)
            entries.append(Different(reason, clients.split(), statement))
    return head.splitlines(), entries


def write(head: list[str], entries: list[Different]) -> None:
    lines = list(head)
    for reason in dict.fromkeys(entry.reason for entry in entries):
        lines += ["", f"# {reason}"]
        lines += [f"{' '.join(entry.clients)}\t{entry.statement}" for entry in entries if entry.reason == reason]
    FILE.write_text("\n".join(lines) + "\n")


def fill(program: str, came: dict[tuple[str, str], bool], complete: bool) -> None:
    """Makes the list say of one program what came: of each client and statement, whether it differs.

    What was not asked leaves the list only if all was asked.
    """
    head, entries = read()
    for entry in entries:
        entry.clients = [client for client in entry.clients
                         if client.partition(":")[0] != program or came.get((client, entry.statement), not complete)]
    for (client, statement), differs in came.items():
        named = [entry for entry in entries if entry.statement == statement]
        if differs and not any(client in entry.clients for entry in named):
            if not named:
                entries.append(Different(UNEXPLAINED, [], statement))
                named = entries[-1:]
            named[0].clients.append(client)
    write(head, [entry for entry in entries if entry.clients])
