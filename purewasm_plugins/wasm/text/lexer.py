"""The tokens of the text format (core specification, section 6.3).

White space, comments and annotations are skipped. A token is its own text; its first character
says what it is: a parenthesis, the quotation mark of a string, the dollar sign of an identifier, or
else a word: a keyword, a number, or something that the format does not know. What is written
without space between it, as in `"a"b`, is one token, which begins with a space and means nothing.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right

from purewasm_plugins.errors import TextError
from purewasm_plugins.support.typed import Callable
from purewasm_plugins.wasm.text.literals import LiteralError, name_of, string_bytes

__all__ = ["END", "MAX_TEXT_SIZE", "Tokens", "error_at", "tokenize"]

#: The most characters of a text. A token takes about fifty bytes of memory.
MAX_TEXT_SIZE = 1 << 26

#: The token after the last one.
END = ""

#: The most characters of a line that an error shows.
_SHOWN = 120

_WORD = r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]"
# Possessive quantifiers: no character is matched twice.
_STRING = r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*+"'
_TOKEN = re.compile(
    # Space, line comments, and comments without others in them.
    r"(?:[ \t\n\r]++|;;[^\n\r]*+|\(;(?:[^;(]|;(?!\))|\((?!;))*+;\))*+(?:"
    # 1: a word, or an identifier that is not "$" alone
    rf"((?!\$(?!{_WORD})){_WORD}++(?!\"))"
    r"|(\((?![;@]))"  # 2
    r"|(\))"  # 3
    rf'|({_STRING}(?!{_WORD}|"))'  # 4: a string
    rf"|((?:{_WORD}|{_STRING})++)"  # 5: words and strings without space between them
    r"|([,;\[\]{}])"  # 6: what only annotations have
    r"|(\(;)"  # 7: a comment with others in it, or without an end
    r"|(\(@)"  # 8: an annotation
    r"|\Z"
    r"|(.))",  # 9: no token
    re.DOTALL,
)
_OPEN, _CLOSE, _TEXT, _JOINED, _COMMENT, _ANNOTATION, _NO_TOKEN = 2, 3, 4, 5, 7, 8, 9

_COMMENT_EDGE = re.compile(r"\(;|;\)")
_ANNOTATION_IDENTIFIER = re.compile(rf"(?:{_WORD}++|{_STRING})(?!{_WORD}|\")")
_STRING_IN_TOKEN = re.compile(_STRING)
_QUOTED_IDENTIFIER = re.compile(rf"\${_STRING}")
_LINE_END = re.compile(r"\r\n|\n|\r")


class Tokens:
    """The tokens of a text.

    Attributes:
        source: the text.
        texts: the tokens, and `END` after them.
        starts: the positions of the tokens in `source`.
        closing: for a parenthesis that opens, the index of the one that closes it, or of `END`.
        fault: the reason why there are no more tokens, or None at the end of the text. The start of
            `END` is its position.
    """

    __slots__ = ("_lines", "closing", "fault", "source", "starts", "texts")

    def __init__(self, source: str) -> None:
        self.source = source
        self.texts: list[str] = []
        self.starts = array("I")
        self.closing = array("I")
        self.fault: str | None = None
        self._lines: list[int] = []

    def error(self, at: int, message: str) -> TextError:
        """Return an error at a token; at `END` the fault of the text is the error."""
        if self.texts[at] is END and self.fault is not None:
            message = self.fault
        return error_at(self.source, self.starts[at], message)

    def line(self, at: int) -> int:
        """Return the number of the line of a token, from 1 on."""
        if not self._lines:
            self._lines = [end.end() for end in _LINE_END.finditer(self.source)]
        return 1 + bisect_right(self._lines, self.starts[at])


def error_at(source: str, position: int, message: str) -> TextError:
    """Return an error at a position of a text."""
    start = 1 + max(source.rfind("\n", 0, position), source.rfind("\r", 0, position))
    found = _LINE_END.search(source, position)
    end = found.start() if found else len(source)
    line = 1 + sum(1 for _ in _LINE_END.finditer(source, 0, start))
    # A line may be as long as the text: the part around the position is shown.
    first = max(start, position - _SHOWN // 2)
    shown = source[first : min(end, first + _SHOWN)]
    return TextError(message, line, position - start + 1, shown, position - first)


def tokenize(source: str) -> Tokens:
    """Split a text into tokens.

    A character that belongs to no token is no error here: the tokens end before it, and
    `Tokens.fault` says why. So the error that is reported is the first one in the text.

    Raises:
        TextError: the text is too long, or has a lone surrogate.
    """
    if len(source) > MAX_TEXT_SIZE:
        raise error_at("", 0, f"text longer than {MAX_TEXT_SIZE} characters")
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise error_at(source, error.start, "malformed UTF-8 encoding") from None
    tokens = Tokens(source)
    lexer = _Lexer(tokens)
    try:
        lexer.run()
    except TextError as error:
        tokens.fault = error.message
        lexer.add(END, lexer.fault_position)
    return tokens


class _Lexer:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._source = tokens.source
        #: The indices of the parentheses that are open.
        self._open: list[int] = []
        self.fault_position = 0

    def run(self) -> None:
        """Read the tokens.

        Raises:
            TextError: what follows is no token.
        """
        position = 0
        while position < len(self._source):
            position = self._plain(position)
        end = len(self._tokens.texts)
        for index in self._open:
            self._tokens.closing[index] = end
        if self._open:
            start = self._tokens.starts[self._open[-1]]
            raise self._fault(start, "unexpected end: this parenthesis is not closed")
        self.add(END, position)

    def add(self, text: str, start: int) -> None:
        """Add a token."""
        self._tokens.texts.append(text)
        self._tokens.starts.append(start)
        self._tokens.closing.append(0)

    def _fault(self, position: int, message: str) -> TextError:
        for index in self._open:
            self._tokens.closing[index] = len(self._tokens.texts)
        self.fault_position = position
        return error_at(self._source, position, message)

    def _plain(self, position: int) -> int:
        """Read tokens to the end of the text, or to the end of what needs another reader.

        Returns:
            The position after them.
        """
        tokens, open_ = self._tokens, self._open
        texts, closing = tokens.texts, tokens.closing
        add_text, add_start, add_closing = texts.append, tokens.starts.append, closing.append
        # Most words are there many times; one copy of each is kept.
        seen: dict[str, str] = {}
        for match in _TOKEN.finditer(self._source, position):
            kind = match.lastindex
            if kind is None:
                break
            start = match.start(kind)
            text = match.group(kind)
            if kind >= _JOINED:
                if kind >= _COMMENT:
                    return self._special(kind, start)
                if text in ("$", '$""'):
                    raise self._fault(start, "empty identifier")
                if not _QUOTED_IDENTIFIER.fullmatch(text):
                    text = f" {text}"
            elif kind == _OPEN:
                open_.append(len(texts))
            elif kind == _CLOSE and open_:
                closing[open_.pop()] = len(texts)
            add_text(seen.setdefault(text, text))
            add_start(start)
            add_closing(0)
        return len(self._source)

    def _special(self, kind: int, start: int) -> int:
        """Return the position after a comment or an annotation."""
        if kind == _COMMENT:
            return self._comment(start)
        if kind == _ANNOTATION:
            return self._annotation(start)
        raise self._no_token(start)

    def _no_token(self, position: int) -> TextError:
        character = self._source[position]
        if character == '"':
            return self._fault(position, "unclosed string")
        return self._fault(position, f"illegal character {character!r}")

    def _comment(self, start: int) -> int:
        depth = 0
        for edge in _COMMENT_EDGE.finditer(self._source, start):
            depth += 1 if edge.group() == "(;" else -1
            if not depth:
                return edge.end()
        raise self._fault(start, "unclosed comment")

    def _annotation(self, start: int) -> int:
        identifier = _ANNOTATION_IDENTIFIER.match(self._source, start + 2)
        if identifier is None or identifier.group() == '""':
            is_word = identifier is None and self._source.startswith('"', start + 2)
            raise self._fault(start, f"{'malformed' if is_word else 'empty'} annotation id")
        if identifier.group().startswith('"'):
            self._check(name_of, identifier.group(), start)
        position, depth = identifier.end(), 1
        while depth:
            match = _TOKEN.match(self._source, position)
            kind = match.lastindex if match else None
            if match is None or kind is None:
                raise self._fault(start, "unclosed annotation")
            position = match.end()
            if kind in (_OPEN, _ANNOTATION):
                depth += 1
            elif kind == _CLOSE:
                depth -= 1
            elif kind in (_TEXT, _JOINED):
                for string in _STRING_IN_TOKEN.findall(match.group(kind)):
                    self._check(string_bytes, string, match.start(kind))
            elif kind == _COMMENT:
                position = self._comment(match.start(kind))
            elif kind == _NO_TOKEN:
                raise self._no_token(match.start(kind))
        return position

    def _check(self, read: Callable[[str], object], string: str, start: int) -> None:
        """Refuse a string that has no value."""
        try:
            read(string)
        except LiteralError as error:
            raise self._fault(start, str(error)) from None
