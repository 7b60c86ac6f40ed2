/**
 * Client of Stemwire, a music source separation service: a song is uploaded, and its stems arrive while the upload is still running.
 *
 * <p>{@link io.stemwire.client.StemwireClient} is the entry. Messages such as {@link io.stemwire.v1.Session} are those of the protocol.
 */
package io.stemwire.client;
