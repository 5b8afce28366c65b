"""Autobahn's cases for websockets against a server that echoes: autobahn_cases.py run URL..., after autobahn_cases.py convert FROM TO (see
autobahn.sh). What each case sends and expects is the suite's own, and so is its client; what is here runs them, several at a time.

The suite is of Python 2, where text is bytes. Its cases are read as Latin-1, so that their texts have a character for each
byte, and become bytes at the door of the client. Left out is compression (12 and 13), which no server has to offer.
"""

import pathlib
import re
import sys

#: Runs at a time; those of group 9, which measure, come one by one.
TOGETHER = 8
#: The suite gives up after a second what a machine that does something else besides may need longer for.
PATIENCE = 10
#: What a case may come to. (NON-STRICT is what is allowed and could be better.)
GOOD = ("OK", "INFORMATIONAL")

# ----------------------------------------------------------------------------------------------------------------------
# Modules of Python 3

CHANGES = [
    (r"#\s*coding=utf-8", "# coding: latin-1"),
    (r"(?m)^from (case\w*) import", r"from .\1 import"),
    (r"(?m)^import binascii$", "from . import adapted as binascii"),
    (r"from autobahn\.websocket\.utf8validator import Utf8Validator", "from .adapted import Utf8Validator"),
    (r"(?m)^(\s+)print$", r"\1print()"),
    (r"(?m)^(\s+)print (.*)$", r"\1print(\2)"),
    (r"\bxrange\b", "range"),
    (r"\bunichr\b", "chr"),
    (r" / ", " // "),
    (r"\(object, Case, \)", "(Case, )"),
    (r"(?m)^.*zope\.interface.*\n", ""),
    (r"(?m)^\s+implements\(.*\n", ""),
    (r"(?m)^.*[Cc]ase1[23]_.*\n", ""),
    (r"pickle\.dumps\((obj\d)\)", r"\1"),
]

ADAPTED = '''"""What the cases use of modules whose functions take bytes."""

import binascii

from autobahn.websocket import utf8validator


def b2a_hex(text):
    return binascii.b2a_hex(text.encode("latin-1") if isinstance(text, str) else text).decode()


class Utf8Validator(utf8validator.Utf8Validator):
    def validate(self, text):
        return super().validate(text.encode("latin-1") if isinstance(text, str) else text)
'''


def convert(source, target):
    target = pathlib.Path(target)
    target.mkdir(parents=True, exist_ok=True)
    for path in pathlib.Path(source).glob("*.py"):
        if re.match("case1[23]", path.name):
            continue
        text = path.read_text(encoding="latin-1")
        for pattern, replacement in CHANGES:
            text = re.sub(pattern, replacement, text)
        (target / path.name).write_text("# coding: latin-1\n" + text, encoding="latin-1")
    (target / "adapted.py").write_text(ADAPTED)


# ----------------------------------------------------------------------------------------------------------------------
# Running them


def run(urls):
    sys.path.insert(0, str(pathlib.Path(sys.prefix) / "cases"))
    import txaio

    txaio.use_twisted()
    import autobahncases
    from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol, connectWS
    from twisted.internet import defer, reactor

    def octets(value):
        return value.encode("latin-1") if isinstance(value, str) else value

    class Client(WebSocketClientProtocol):
        """The suite's, without its reports."""

        connectionWasOpen = False
        createWirelog = False

        def connectionMade(self):
            self.case = self.factory.case(self)
            self.runCase = self.case
            self.txFrameStats = {}
            super().connectionMade()

        def enableWirelog(self, _enable):
            pass

        def logTxFrame(self, header, _payload, *_rest):
            self.txFrameStats[header.opcode] = self.txFrameStats.get(header.opcode, 0) + 1

        def logRxFrame(self, *_arguments):
            pass

        logRxOctets = logTxOctets = logRxFrame

        def continueLater(self, delay, function, _tag=None):
            reactor.callLater(delay, lambda: self.state == self.STATE_CLOSED or function())

        def killAfter(self, delay):
            self.continueLater(delay * PATIENCE, self.failConnection)

        def closeAfter(self, delay):
            self.continueLater(delay * PATIENCE, self.sendClose)

        def sendFrame(self, opcode, payload=b"", payload_len=None, **rest):
            payload = octets(payload)
            if payload_len is not None:
                payload = payload * (payload_len // len(payload)) + payload[: payload_len % len(payload)]
            super().sendFrame(opcode, payload=payload, **rest)

        def sendMessage(self, payload, *arguments, **rest):
            super().sendMessage(octets(payload), *arguments, **rest)

        def sendMessageFrameData(self, payload, **rest):
            return super().sendMessageFrameData(octets(payload), **rest)

        def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
            super().sendCloseFrame(code, octets(reasonUtf8), isReply)

        def onOpen(self):
            self.connectionWasOpen = True
            self.case.onOpen()

        def onMessage(self, payload, isBinary):
            self.case.onMessage(payload.decode("latin-1"), isBinary)

        def onPong(self, payload):
            self.case.onPong(payload.decode("latin-1"))

        def onClose(self, *how):
            self.case.onClose(*how)

        def connectionLost(self, reason):
            super().connectionLost(reason)
            self.case.onConnectionLost(self.failedByMe)
            self.factory.ended.callback(self.case)

    class Factory(WebSocketClientFactory):
        protocol = Client

        def __init__(self, url, case):
            super().__init__(url)
            self.case, self.ended = case, defer.Deferred()
            self.logFrames = True
            self.setProtocolOptions(failByDrop=False)

        def clientConnectionFailed(self, _connector, reason):
            self.ended.errback(reason)

    def name(case):
        return case.__name__[len("Case") :].replace("_", ".")

    @defer.inlineCallbacks
    def run_each(url, cases, outcomes):
        for case in cases:
            factory = Factory(url, case)
            connectWS(factory, timeout=60)
            ended = yield factory.ended
            outcomes[name(case)] = (ended.behavior, ended.behaviorClose, ended.result, ended.resultClose)

    @defer.inlineCallbacks
    def run_all():
        failed = False
        try:
            for url in urls:
                outcomes, cases = {}, list(autobahncases.Cases)
                measuring = [case for case in cases if name(case).startswith("9.")]
                others = iter([case for case in cases if case not in measuring])
                yield defer.gatherResults([run_each(url, others, outcomes) for _ in range(TOGETHER)])
                yield run_each(url, measuring, outcomes)
                failed |= tell(url, outcomes)
        except Exception as error:
            print("it cannot be run:", error)
            failed = True
        finally:
            reactor.stop()
        status.append(int(failed))

    def tell(url, outcomes):
        bad = {case: outcome for case, outcome in outcomes.items() if not set(outcome[:2]) <= set(GOOD)}
        for case, outcome in bad.items():
            print(url, case, *outcome)
        print("%s: %d cases, %d not as they should be" % (url, len(outcomes), len(bad)))
        return bool(bad)

    status = []
    reactor.callWhenRunning(run_all)
    reactor.run()
    return status[0]


if __name__ == "__main__":
    sys.exit(convert(*sys.argv[2:]) if sys.argv[1] == "convert" else run(sys.argv[2:]))
