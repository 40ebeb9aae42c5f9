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

function wrapClass(Native) {
  const Wrapped = class extends Native {
    constructor(...args) {
      try {
        super(...args);
      } catch (error) {
        throw translated(error);
      }
    }
  };
  wrapMembers(Native, Wrapped, ['length', 'name', 'prototype']);
  wrapMembers(Native.prototype, Wrapped.prototype, ['constructor']);
  wrappedPrototypes.set(Native.prototype, Wrapped.prototype);
  return Wrapped;
}

function wrapMembers(from, to, leftOut) {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
    if (leftOut.includes(name)) continue;
    const wrapped = { ...descriptor };
    for (const part of ['value', 'get', 'set']) {
      if (typeof descriptor[part] === 'function') wrapped[part] = wrapFunction(descriptor[part]);
    }
    Object.defineProperty(to, name, wrapped);
  }
}

const wrap = ([name, member]) => {
  if (typeof member !== 'function') return [name, member];
  return [name, /^[A-Z]/.test(name) ? wrapClass(member) : wrapFunction(member)];
};

module.exports = /** @type {typeof import('../binding')} */ (Object.fromEntries(Object.entries(binding).map(wrap)));
