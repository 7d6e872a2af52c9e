/*
 * channels.h: the words for channels that the dialects and their APIs have.
 */
#ifndef REENGAGE_CHANNELS_H
#define REENGAGE_CHANNELS_H

/*
 * CHANNEL(word), in alphabetical order: the messenger types of Genesys Cloud,
 * and what other APIs call theirs.  A server may name more in proactive_channels.
 */
#define KNOWN_CHANNELS \
	CHANNEL("apple") CHANNEL("call") CHANNEL("callback") CHANNEL("chat") CHANNEL("email") \
	CHANNEL("facebook") CHANNEL("fax") CHANNEL("instagram") CHANNEL("kakao") CHANNEL("line") CHANNEL("messenger") \
	CHANNEL("mms") CHANNEL("open") CHANNEL("phone") CHANNEL("push") CHANNEL("rcs") CHANNEL("sms") \
	CHANNEL("telegram") CHANNEL("twitter") CHANNEL("viber") CHANNEL("voice") CHANNEL("webchat") \
	CHANNEL("webmessaging") CHANNEL("wechat") CHANNEL("whatsapp")

#endif
