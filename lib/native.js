'use strict';

// The addon's functions and classes, with errors of this realm: the addon's own belong to the realm that loaded it first,
// which under Jest or in a `vm` context is another one, where `instanceof Error` fails. All that calls the addon goes
// through here.

const { loadBinding } = require('./load.js');
const { translated } = require('./errors.js');

const binding = loadBinding();

/** For each prototype of a native class the one whose methods are wrapped: native functions return bare instances. */
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

/** An instance that a native function made gets wrapped methods; anything else stays as it is. */
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
