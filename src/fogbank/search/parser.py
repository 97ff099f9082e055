"""From the text of a query to its tree, by recursive descent; the grammar, from the loosest to the tightest:

    query   = any
    any     = all { "OR" all }
    all     = one { [ "AND" ] one }
    one     = { "NOT" | "-" } ( "(" any ")" | clause )
    clause  = term | field ":" value | field compare term
    value   = "(" any ")" | range | compare term | term
    range   = ( "[" | "{" ) term "TO" term ( "]" | "}" )
    compare = "<" | "<=" | ">" | ">="
    term    = word | word with * and ? | "phrase" | "*"

Rules and limits: developer guide, query-syntax and example-queries; AWS General Reference, fleet indexing quotas. How
OR binds beside an implicit AND is nowhere said (UNVERIFIED): looser, as everywhere.
"""

from fogbank.search import names
from fogbank.search.errors import InvalidQuery
from fogbank.search.geography import coordinates, metres
from fogbank.search.glob import ANY, ONE, Glob
from fogbank.search.lexer import Kind, Token, tokens
from fogbank.search.query import (
    And,
    Everything,
    Exists,
    Near,
    Not,
    NumberRange,
    Or,
    Phrase,
    Query,
    Wildcard,
    Word,
    WordRange,
)
from fogbank.search.words import fold, number, words

MOST_TERMS = 12
"""Per query."""
LONGEST = 1000
"""Characters of a query."""
LONGEST_WITH_LEADING_WILDCARD = 100
MOST_STARS, MOST_QUESTION_MARKS = 2, 5
"""Wildcards of a term."""
DEEPEST = 64
"""Parentheses within one another. Fogbank's own bound, beyond what twelve terms can need."""


def parse(text: str, *, most_terms: int = MOST_TERMS) -> Query:
    """The query that `text` says. Raises InvalidQuery. `most_terms` is 5 for dynamic thing groups."""
    if len(text) > LONGEST:
        raise InvalidQuery(f"Invalid query: {len(text)} characters, the limit is {LONGEST}")
    return _Parser(text, most_terms).query()


class _Parser:
    def __init__(self, text: str, most_terms: int) -> None:
        self._length = len(text)
        self._tokens = tokens(text)
        self._most_terms = most_terms
        self._next = 0
        self._terms = 0
        self._depth = 0
        self._leading = 0
        """Terms so far that begin with a wildcard."""

    def query(self) -> Query:
        found = self._any(None)
        self._take(Kind.END, "AND, OR or the end of the query")
        return found

    def _ahead(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._ahead()
        self._next += 1
        return token

    def _take(self, kind: Kind, expected: str) -> Token:
        if self._ahead().kind is not kind:
            raise self._unexpected(expected)
        return self._ahead() if kind is Kind.END else self._advance()

    def _unexpected(self, expected: str) -> InvalidQuery:
        return InvalidQuery.at(self._ahead().offset, f"expected {expected}, found {self._ahead()}")

    def _any(self, field: str | None) -> Query:
        parts = [self._all(field)]
        while self._ahead().kind is Kind.OR:
            self._advance()
            parts.append(self._all(field))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self, field: str | None) -> Query:
        parts = [self._one(field)]
        while self._ahead().kind not in (Kind.OR, Kind.CLOSE, Kind.END):
            if self._ahead().kind is Kind.AND:
                self._advance()
            parts.append(self._one(field))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, field: str | None) -> Query:
        negated = False
        while self._ahead().kind is Kind.NOT:
            self._advance()
            negated = not negated
        part = self._group(field) if self._ahead().kind is Kind.OPEN else self._clause(field)
        return Not(part) if negated else part

    def _group(self, field: str | None) -> Query:
        opened = self._advance()
        self._depth += 1
        if self._depth > DEEPEST:
            raise InvalidQuery.at(opened.offset, f"more than {DEEPEST} parentheses within one another")
        found = self._any(field)
        self._take(Kind.CLOSE, f"a ) for the ( at character {opened.offset + 1}")
        self._depth -= 1
        return found

    def _clause(self, field: str | None) -> Query:
        if self._ahead().kind not in (Kind.WORD, Kind.QUOTED):
            raise self._unexpected("a term" if field is None else f"a term for {field}")
        token = self._advance()
        if self._ahead().kind is Kind.COLON:
            return self._value(self._field(token))
        if self._ahead().kind is Kind.COMPARE:
            return self._comparison(self._field(token))
        return self._term(field, token)

    def _field(self, token: Token) -> str:
        """The name in front of `:` or a comparison, which is taken."""
        if token.kind is not Kind.WORD or token.wild:
            raise InvalidQuery.at(token.offset, f"expected the name of a field, found {token}")
        if self._ahead().kind is Kind.COLON:
            self._advance()
        field = names.canonical(token.text)
        if not names.searchable(field):
            raise InvalidQuery.at(token.offset, f"{token.text} cannot be searched, it can only be aggregated")
        return field

    def _value(self, field: str) -> Query:
        match self._ahead().kind:
            case Kind.OPEN:
                return self._group(field)
            case Kind.RANGE_OPEN:
                return self._range(field)
            case Kind.COMPARE:
                return self._comparison(field)
            case Kind.WORD | Kind.QUOTED:
                return self._term(field, self._advance())
        raise self._unexpected(f"a value for {field}")

    def _comparison(self, field: str) -> Query:
        sign = self._advance()
        if self._ahead().kind not in (Kind.WORD, Kind.QUOTED):
            raise self._unexpected(f"a value to compare {field} with")
        bound, included = self._advance(), sign.text.endswith("=")
        self._count(bound)
        if sign.text.startswith("<"):
            return _between(field, None, bound, high_included=included)
        return _between(field, bound, None, low_included=included)

    def _range(self, field: str) -> Query:
        opened = self._advance()
        low = self._bound()
        self._take(Kind.TO, "TO")
        high = self._bound()
        closed = self._take(Kind.RANGE_CLOSE, "] or } at the end of the range")
        self._count(opened)
        return _between(
            field,
            _unless_open(low),
            _unless_open(high),
            low_included=opened.text == "[",
            high_included=closed.text == "]",
        )

    def _bound(self) -> Token:
        if self._ahead().kind not in (Kind.WORD, Kind.QUOTED):
            raise self._unexpected("a bound of the range")
        return self._advance()

    def _term(self, field: str | None, token: Token) -> Query:
        self._count(token)
        if token.kind is Kind.QUOTED:
            return _phrase(field, token)
        if token.text == ANY and token.wild:
            return Everything() if field is None else Exists(field)
        if field is not None and token.text.startswith("geo_distance,"):
            return _geoquery(field, token)
        if not token.wild:
            return self._word(field, token)
        self._check_wildcards(token)
        return Wildcard(field, _folded(token))

    @staticmethod
    def _word(field: str | None, token: Token) -> Query:
        word = fold(token.text)
        if field is not None and word == "false" and names.says_violation(field):
            raise InvalidQuery.at(token.offset, f"{field} can be true alone; write NOT {field}:true")
        return Word(field, word, number(token.text))

    def _count(self, token: Token) -> None:
        self._terms += 1
        if self._terms > self._most_terms:
            raise InvalidQuery.at(token.offset, f"this is term {self._terms}, the limit is {self._most_terms}")

    def _check_wildcards(self, token: Token) -> None:
        signs = [token.text[position] for position in token.wild]
        if signs.count(ANY) > MOST_STARS or signs.count(ONE) > MOST_QUESTION_MARKS:
            raise InvalidQuery.at(
                token.offset, f"{token} has more than {MOST_STARS} wildcards * or {MOST_QUESTION_MARKS} wildcards ?"
            )
        if token.wild[0] == 0:
            self._leading += 1
            if self._leading > 1:
                raise InvalidQuery.at(token.offset, "a second term begins with a wildcard, the limit is one a query")
            if self._length > LONGEST_WITH_LEADING_WILDCARD:
                raise InvalidQuery.at(
                    token.offset,
                    f"a query with a term that begins with a wildcard is limited to {LONGEST_WITH_LEADING_WILDCARD}"
                    f" characters, this one has {self._length}",
                )


def _unless_open(bound: Token) -> Token | None:
    return None if bound.text == ANY and bound.wild else bound


def _between(
    field: str, low: Token | None, high: Token | None, *, low_included: bool = True, high_included: bool = True
) -> Query:
    """Between numbers where all bounds are some, and are not in quotes; else between words."""
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds:
        return Exists(field)
    for bound in bounds:
        if bound.wild:
            raise InvalidQuery.at(bound.offset, f"{bound} has wildcards, which a range or comparison cannot have")
    if all(bound.kind is Kind.WORD and number(bound.text) is not None for bound in bounds):
        least, most = (None if bound is None else number(bound.text) for bound in (low, high))
        return NumberRange(field, least, most, low_included, high_included)
    first, last = (None if bound is None else fold(bound.text) for bound in (low, high))
    return WordRange(field, first, last, low_included, high_included)


def _phrase(field: str | None, token: Token) -> Query:
    match words(token.text):
        case ():
            raise InvalidQuery.at(token.offset, "this phrase has no words")
        case (word,):
            return Word(field, word, number(word))
        case several:
            return Phrase(field, several)


def _folded(token: Token) -> Glob:
    """The pattern without case. Folding may make characters longer (ß is ss), and moves the wildcards behind them."""
    characters, wild = "", []
    for position, character in enumerate(token.text):
        if position in token.wild:
            wild.append(len(characters))
        characters += fold(character)
    return Glob(characters, tuple(wild))


def _geoquery(field: str, token: Token) -> Query:
    """`geo_distance,latitude,longitude,radius with unit` (developer guide, location-indexing-geoquery)."""
    form = "geo_distance,<latitude>,<longitude>,<radius with its unit>"
    match token.text.split(","):
        case [_, latitude, longitude, radius]:
            degrees = number(latitude), number(longitude)
            length = metres(radius)
            point = None if degrees[0] is None or degrees[1] is None else coordinates(degrees[0], degrees[1])
            if point is not None and length is not None:
                return Near(field, point.latitude, point.longitude, length)
    raise InvalidQuery.at(token.offset, f"expected {form} as in geo_distance,47.6204,-122.3491,15.5km, found {token}")
