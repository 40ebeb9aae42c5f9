'use strict';

/** The command line asks for something that does not exist; the message is the one line that the user sees. */
class Misuse extends Error {}

/** An input that could not be read, which is no fault of an upload. */
class Unreadable extends Error {}

module.exports = { Misuse, Unreadable };
