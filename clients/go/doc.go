// Package stemwire is a client of Stemwire, a music source separation service.
//
// A song is sent, and its stems arrive while it still is. After a broken connection or a restart of the server a [Separation]
// continues where both sides are: each frame of a stem comes once and in order.
package stemwire
