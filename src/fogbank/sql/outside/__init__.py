"""Functions that ask the world: what they ask (`requests`), whom (`services`), and what came back (`answers`).

Expressions are compiled to plain closures, and most statements never wait for anything. Those that call one of these
functions are evaluated by the same closures, in turns: where a closure needs what nobody has asked for yet, the turn
ends with the request; the answer is awaited, and the next turn runs from the beginning and finds it. Statements without
such functions pay nothing, arguments may be any expressions (answers of others among them), and what `AND`, `OR`,
`CASE` leave out is never asked.
"""

from fogbank.sql.outside.answers import Answers, CannedAnswers, Known, Pending
from fogbank.sql.outside.errors import OutsideFailed
from fogbank.sql.outside.requests import Request
from fogbank.sql.outside.services import Outside

__all__ = ["Answers", "CannedAnswers", "Known", "Outside", "OutsideFailed", "Pending", "Request"]
