'use strict';

// The addon's functions and classes, wrapped so that they throw errors of this realm. The addon's own errors belong to
// the realm that loaded it first. Under Jest or in a `vm` context that is another realm, where `instanceof Error`
// fails. Every call of the addon goes through this file.

const { loadBinding } = require('./load.js');
const { translated } = require('./errors.js');

const binding = loadBinding();

/** Maps a native class's prototype to the wrapped one. Native functions return instances with the bare prototype. */
const wrappedPrototypes = new Map();

/** @param {Function} native */
function wrapFunction(native) {
  /** @this {unknown} */
  return function (...args) {
    let result;
    try {
      result = Reflect.apply(native, this, args);
    } catch (error) {
      throw translated(error);
    }
    return typeof result === 'object' ? adopt(result) : result;
  };
}

/** Gives wrapped methods to an instance that a native function made. Anything else is returned unchanged. */
function adopt(result) {
  const prototype = result === null ? undefined : wrappedPrototypes.get(Object.getPrototypeOf(result));
  return prototype === undefined ? result : Object.setPrototypeOf(result, prototype);
}

function wrapClass(Native, Wrapped = withTranslatedErrors(Native)) {
  wrapMembers(Native, Wrapped);
  wrapMembers(Native.prototype, Wrapped.prototype);
  wrappedPrototypes.set(Native.prototype, Wrapped.prototype);
  return Wrapped;
}

/** Returns a subclass whose constructor throws errors of this realm. */
function withTranslatedErrors(Native) {
  return class extends Native {
    constructor(...args) {
      try {
        super(...args);
      } catch (error) {
        throw translated(error);
      }
    }
  };
}

/** Wraps the members that `to` doesn't define itself. */
function wrapMembers(from, to) {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
    if (Object.hasOwn(to, name)) continue;
    const wrapped = { ...descriptor };
    for (const part of ['value', 'get', 'set']) {
      if (typeof descriptor[part] === 'function') wrapped[part] = wrapFunction(descriptor[part]);
    }
    Object.defineProperty(to, name, wrapped);
  }
}

// The methods that every batch calls are written out. At a call site of its own, V8 calls the addon directly. The shared
// call site in `wrapFunction` costs 150 to 400 ns more, which counts for small batches.

class BatchDecoder extends binding.BatchDecoder {
  decodeFunction() {
    const decode = super.decodeFunction();
    return (body, cells, collect) => {
      try {
        return decode(body, cells, collect);
      } catch (error) {
        throw translated(error);
      }
    };
  }
}

class BatchEncoder extends binding.BatchEncoder {
  encode(words, length, text) {
    try {
      return super.encode(words, length, text);
    } catch (error) {
      throw translated(error);
    }
  }
}

class RowEncoder extends binding.RowEncoder {
  encode(body, numbers, orgId, author, installation) {
    try {
      return super.encode(body, numbers, orgId, author, installation);
    } catch (error) {
      throw translated(error);
    }
  }
}

const WRITTEN_OUT = { BatchDecoder, BatchEncoder, RowEncoder };

const wrap = ([name, member]) => {
  if (typeof member !== 'function') return [name, member];
  return [name, /^[A-Z]/.test(name) ? wrapClass(member, WRITTEN_OUT[name]) : wrapFunction(member)];
};

module.exports = /** @type {typeof import('../binding')} */ (Object.fromEntries(Object.entries(binding).map(wrap)));
