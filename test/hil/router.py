#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""router.py [PORT]: a WAMP router (WAMP version 2, basic profile: broker and dealer) on loopback, as much of one as
labgrid's coordinator, exporter and client need among themselves. labgrid 0.4 takes crossbar for it, which Debian 12 has
not; messages and WebSocket are Debian's autobahn's. No passwords: whoever reaches the port is let in."""

import asyncio
import itertools
import sys

from autobahn.asyncio.websocket import WampWebSocketServerFactory
from autobahn.wamp import message, role

PORT = 20408  # labgrid's
ROLES = {"broker": role.RoleBrokerFeatures(session_meta_api=True, publisher_exclusion=True),
         "dealer": role.RoleDealerFeatures(caller_identification=True)}


class Router:
    """Who has registered and subscribed what, and the calls on their way."""

    def __init__(self):
        self.sessions = {}
        self.numbers = itertools.count(1)
        self.procedures = {}  # name -> (session, registration)
        self.topics = {}  # name -> {session: subscription}
        self.calls = {}  # number of an invocation -> (caller, number of its call, callee)

    def publish(self, topic, args, kwargs=None, but=None):
        publication = next(self.numbers)
        for session, subscription in list(self.topics.get(topic, {}).items()):
            if session is not but:
                session.send(message.Event(subscription, publication, args=args, kwargs=kwargs))
        return publication

    def leave(self, session):
        if self.sessions.pop(session.number, None) is None:
            return
        self.procedures = {name: entry for name, entry in self.procedures.items() if entry[0] is not session}
        for subscribers in self.topics.values():
            subscribers.pop(session, None)
        for number, (caller, request, callee) in list(self.calls.items()):
            if session in (caller, callee):
                del self.calls[number]
                if caller is not session:
                    caller.fail(message.Call, request, "wamp.error.canceled")
        self.publish("wamp.session.on_leave", [session.number])


class Session:
    """One peer: what autobahn calls a transport handler."""

    def __init__(self, router):
        self.router = router
        self.transport = None
        self.number = next(router.numbers)
        self._session_id = self._authid = None  # autobahn's log asks for them

    def onOpen(self, transport):  # pylint: disable=invalid-name
        self.transport = transport

    def onClose(self, _clean):  # pylint: disable=invalid-name
        self.transport = None
        self.router.leave(self)

    def onMessage(self, msg):  # pylint: disable=invalid-name
        if self.number not in self.router.sessions and not isinstance(msg, message.Hello):
            self.transport.abort()
            return
        answer = getattr(self, "on_" + type(msg).__name__.lower(), None)
        if answer is None:
            print("router: no answer to", type(msg).__name__, file=sys.stderr)
            self.transport.abort()
            return
        answer(msg)

    def send(self, msg):
        if self.transport and self.transport.isOpen():
            self.transport.send(msg)

    def fail(self, kind, request, error):
        self.send(message.Error(kind.MESSAGE_TYPE, request, error))

    def on_hello(self, msg):
        self._session_id, self._authid = self.number, msg.authid
        self.send(message.Welcome(self.number, ROLES, realm=msg.realm, authid=msg.authid, authrole="public", authmethod="anonymous"))
        self.router.sessions[self.number] = self
        self.router.publish("wamp.session.on_join", [{"session": self.number, "authid": msg.authid, "authrole": "public",
                                                      "authmethod": "anonymous", "realm": msg.realm}], but=self)

    def on_goodbye(self, _msg):
        self.send(message.Goodbye(message.Goodbye.DEFAULT_REASON))
        self.router.leave(self)

    # Broker

    def on_subscribe(self, msg):
        subscription = self.router.topics.setdefault(msg.topic, {}).setdefault(self, next(self.router.numbers))
        self.send(message.Subscribed(msg.request, subscription))

    def on_unsubscribe(self, msg):
        for subscribers in self.router.topics.values():
            if subscribers.get(self) == msg.subscription:
                del subscribers[self]
                self.send(message.Unsubscribed(msg.request))
                return
        self.fail(message.Unsubscribe, msg.request, "wamp.error.no_such_subscription")

    def on_publish(self, msg):
        publication = self.router.publish(msg.topic, msg.args, msg.kwargs, but=None if msg.exclude_me is False else self)
        if msg.acknowledge:
            self.send(message.Published(msg.request, publication))

    # Dealer

    def on_register(self, msg):
        if msg.procedure in self.router.procedures:
            self.fail(message.Register, msg.request, "wamp.error.procedure_already_exists")
            return
        registration = next(self.router.numbers)
        self.router.procedures[msg.procedure] = (self, registration)
        self.send(message.Registered(msg.request, registration))

    def on_unregister(self, msg):
        for name, entry in self.router.procedures.items():
            if entry == (self, msg.registration):
                del self.router.procedures[name]
                self.send(message.Unregistered(msg.request))
                return
        self.fail(message.Unregister, msg.request, "wamp.error.no_such_registration")

    def kill(self, msg):
        """wamp.session.kill: the coordinator's way with an exporter that doesn't answer."""
        victim = self.router.sessions.get(msg.args[0])
        if victim is None or victim is self:
            self.fail(message.Call, msg.request, "wamp.error.no_such_session")
            return
        victim.send(message.Goodbye("wamp.close.killed", (msg.kwargs or {}).get("message")))
        self.router.leave(victim)
        self.send(message.Result(msg.request))

    def on_call(self, msg):
        if msg.procedure == "wamp.session.kill":
            self.kill(msg)
            return
        if msg.procedure not in self.router.procedures:
            self.fail(message.Call, msg.request, "wamp.error.no_such_procedure")
            return
        callee, registration = self.router.procedures[msg.procedure]
        number = next(self.router.numbers)
        self.router.calls[number] = (self, msg.request, callee)
        callee.send(message.Invocation(number, registration, args=msg.args, kwargs=msg.kwargs, caller=self.number,
                                       caller_authid=self._authid, caller_authrole="public"))

    def on_cancel(self, msg):
        for number, (caller, request, _) in list(self.router.calls.items()):
            if caller is self and request == msg.request:
                del self.router.calls[number]
                self.fail(message.Call, request, "wamp.error.canceled")

    def answered(self, number):
        """The call that invocation `number` of this callee was for, or None: its caller is gone."""
        caller, request, callee = self.router.calls.get(number, (None, None, None))
        if callee is not self:
            return None, None
        del self.router.calls[number]
        return caller, request

    def on_yield(self, msg):
        caller, request = self.answered(msg.request)
        if caller:
            caller.send(message.Result(request, args=msg.args, kwargs=msg.kwargs))

    def on_error(self, msg):
        caller, request = self.answered(msg.request)
        if caller:
            caller.send(message.Error(message.Call.MESSAGE_TYPE, request, msg.error, args=msg.args, kwargs=msg.kwargs))


def main():
    port = int(sys.argv[1]) if sys.argv[1:] else PORT
    router = Router()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    factory = WampWebSocketServerFactory(lambda: Session(router), f"ws://127.0.0.1:{port}/ws")
    loop.run_until_complete(loop.create_server(factory, "127.0.0.1", port))
    print(f"router: ws://127.0.0.1:{port}/ws", flush=True)
    loop.run_forever()


if __name__ == "__main__":
    main()
