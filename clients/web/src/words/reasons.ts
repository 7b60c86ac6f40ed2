/**
 * Every reason of the protocol, and the page's own, in words: the cause and the remedy. `{name}` is a number of the
 * problem, `{name:bytes}` one that counts bytes. The tests hold that none of the protocol's is missing.
 */
import type { Language } from "../preferences";

type Words = readonly [cause: string, remedy: string];

const MISUNDERSTOOD: Readonly<Record<Language, Words>> = {
  en: ["The page and the server do not understand each other", "Load the page again; it may be of another version than the server."],
  zh: ["页面与服务器不一致", "请重新加载页面；它可能与服务器版本不同。"],
};

export const REASONS: Readonly<Record<string, Readonly<Record<Language, Words>>>> = {
  // The page's own.
  CONNECTION_LOST: {
    en: [
      "The server does not answer",
      "Nothing is lost. The page goes on by itself as soon as the connection is back; see that the server runs and that you are online.",
    ],
    zh: ["服务器没有回应", "什么都没有丢失。连接恢复后会自动继续；请确认服务器正在运行、网络正常。"],
  },
  FILE_UNREADABLE: {
    en: [
      "The file can no longer be read",
      "It was changed, moved or removed since you chose it. Choose it again.",
    ],
    zh: ["无法再读取这个文件", "选择之后，它被修改、移动或删除了。请重新选择。"],
  },
  FILE_DIFFERS: {
    en: [
      "This is another file than the one that was begun",
      "Choose the file that this song was begun with, or add this one as a new song.",
    ],
    zh: ["这与开始时的文件不同", "请选择这首歌最初的文件，或把它作为新歌曲添加。"],
  },
  NO_SOUND: {
    en: [
      "The browser gives no sound output",
      "See that speakers or headphones are connected and that this page may play sound, then press play again.",
    ],
    zh: ["浏览器无法输出声音", "请确认已连接扬声器或耳机、并允许本页播放声音，然后再按播放。"],
  },

  // The upload.
  UPLOAD_EMPTY: {
    en: [
      "The file is empty",
      "Choose a file that has sound in it.",
    ],
    zh: ["文件是空的", "请选择有声音的文件。"],
  },
  UPLOAD_HASH_MISMATCH: {
    en: [
      "The file arrived damaged",
      "Send it again.",
    ],
    zh: ["文件在传输中损坏", "请重新上传。"],
  },
  UPLOAD_TOO_LARGE: {
    en: [
      "The file is larger than this server takes ({limit_bytes:bytes})",
      "Send a shorter or a compressed file, such as MP3 or FLAC.",
    ],
    zh: ["文件超过了服务器允许的大小（{limit_bytes:bytes}）", "请上传较短或压缩过的文件，例如 MP3 或 FLAC。"],
  },
  UPLOAD_GAP: {
    en: [
      "The upload has lost its place",
      "It goes on from where the server is; if not, choose the file again.",
    ],
    zh: ["上传位置不一致", "上传会从服务器已有的位置继续；否则请重新选择文件。"],
  },
  UPLOAD_CONFLICT: {
    en: [
      "This is another file than the one that was begun",
      "Choose the file that this song was begun with, or add this one as a new song.",
    ],
    zh: ["这与开始时的文件不同", "请选择这首歌最初的文件，或把它作为新歌曲添加。"],
  },
  UPLOAD_FINISHED: {
    en: [
      "The upload is already complete",
      "There is nothing more to send.",
    ],
    zh: ["上传已经完成", "不需要再上传。"],
  },
  UPLOAD_INCOMPLETE: {
    en: [
      "Bytes of the upload are missing",
      "Try again; the rest is sent then.",
    ],
    zh: ["上传还缺少数据", "请重试，会补传其余部分。"],
  },
  UPLOAD_SIZE_MISMATCH: {
    en: [
      "The server holds more than this file has",
      "It is another file, or it was changed. Add it as a new song.",
    ],
    zh: ["服务器上的数据比这个文件多", "这是另一个文件，或者文件已被修改。请把它作为新歌曲添加。"],
  },
  UPLOAD_UNFINISHED: {
    en: [
      "The upload broke off",
      "Choose the file again; it goes on from there.",
    ],
    zh: ["上传中断了", "请重新选择文件，会从中断处继续。"],
  },
  UPLOAD_IDLE: {
    en: [
      "No bytes came for a while",
      "Choose the file again; it goes on from there.",
    ],
    zh: ["有一段时间没有收到数据", "请重新选择文件，会从中断处继续。"],
  },
  REQUEST_TAKEN_OVER: {
    en: [
      "Another program goes on with this song",
      "Follow it here, or end it there.",
    ],
    zh: ["另一个程序接手了这首歌", "可以在这里查看进度，或在那边结束它。"],
  },
  REQUEST_CONFLICT: {
    en: [
      "The song was begun with other settings",
      "Add it again as a new song.",
    ],
    zh: ["这首歌是用其他设置开始的", "请把它作为新歌曲重新添加。"],
  },
  CHUNK_TOO_LARGE: {
    en: [
      "The page sends more at once than this server takes",
      "Load the page again; it may be of another version than the server.",
    ],
    zh: ["页面一次发送的数据超过服务器上限", "请重新加载页面；它可能与服务器版本不同。"],
  },

  // The song.
  FORMAT_UNKNOWN: {
    en: [
      "This is no audio file that is understood",
      "Choose MP3, WAV, FLAC, M4A, AIFF or Ogg Vorbis, or convert it to one of these.",
    ],
    zh: ["无法识别这个音频文件", "请选择 MP3、WAV、FLAC、M4A、AIFF 或 Ogg Vorbis，或先转换成其中一种。"],
  },
  CODEC_UNSUPPORTED: {
    en: [
      "The sound in this file is coded in a way that is not supported",
      "Convert it to WAV, FLAC or MP3 and send that.",
    ],
    zh: ["不支持这个文件的音频编码", "请转换成 WAV、FLAC 或 MP3 后再上传。"],
  },
  SAMPLE_RATE_UNSUPPORTED: {
    en: [
      "The file’s sample rate is not supported",
      "Convert it to a rate from 8 to 192 kHz.",
    ],
    zh: ["不支持这个文件的采样率", "请转换成 8 至 192 kHz 的采样率。"],
  },
  CHANNELS_UNSUPPORTED: {
    en: [
      "The file has no channels, or too many",
      "Send a stereo mix.",
    ],
    zh: ["文件没有声道或声道过多", "请上传立体声混音。"],
  },
  PCM_LENGTH_ODD: {
    en: [
      "The raw samples end amid a frame",
      "See that encoding and channels are right, and send them again.",
    ],
    zh: ["原始采样在一帧中间结束", "请检查编码和声道数，然后重新上传。"],
  },
  NOTHING_DECODED: {
    en: [
      "Nothing in the file could be decoded",
      "It seems to be damaged. See that it plays elsewhere, and send it again.",
    ],
    zh: ["文件中没有任何内容可以解码", "文件可能已损坏。请确认它在别处能播放，再重新上传。"],
  },
  DECODER_CRASHED: {
    en: [
      "The file brought its decoder down",
      "Convert it, for example to WAV, and send that.",
    ],
    zh: ["这个文件使解码器崩溃", "请转换文件（例如转成 WAV）后再上传。"],
  },
  DECODER_LIMIT: {
    en: [
      "The file takes too much memory or time to decode",
      "Convert it, for example to WAV, and send that.",
    ],
    zh: ["解码这个文件需要的内存或时间过多", "请转换文件（例如转成 WAV）后再上传。"],
  },
  TRACK_TOO_LONG: {
    en: [
      "The song is longer than this server takes ({limit_seconds} s)",
      "Send a shorter part of it.",
    ],
    zh: ["歌曲超过了服务器允许的长度（{limit_seconds} 秒）", "请只上传其中较短的一段。"],
  },

  // The server.
  QUEUE_FULL: {
    en: [
      "The server has all hands full",
      "Your song waits and is sent as soon as there is room.",
    ],
    zh: ["服务器正忙", "您的歌曲会排队等待，一有空位就会上传。"],
  },
  DISK_FULL: {
    en: [
      "The server’s disk is full",
      "Delete songs that are no longer needed. Whatever was done stays readable.",
    ],
    zh: ["服务器磁盘已满", "请删除不再需要的歌曲。已完成的部分仍可读取。"],
  },
  STORAGE_FULL: {
    en: [
      "The songs on the server take all the room that they may have",
      "Delete songs that are no longer needed; yours is sent then.",
    ],
    zh: ["服务器上的歌曲已占满允许的空间", "请删除不再需要的歌曲，之后会继续上传。"],
  },
  STORAGE_FAILED: {
    en: [
      "The server’s disk fails",
      "The server's log has the details.",
    ],
    zh: ["服务器磁盘出错", "服务器的管理者可在日志中找到更多信息。"],
  },
  SHUTTING_DOWN: {
    en: [
      "The server is being restarted",
      "Nothing is lost; it goes on by itself in a moment.",
    ],
    zh: ["服务器正在重启", "什么都没有丢失，稍后会自动继续。"],
  },
  MODEL_UNAVAILABLE: {
    en: [
      "The model cannot be loaded",
      "Choose another model, or ask the operator of the server to run “stemwire doctor”.",
    ],
    zh: ["无法加载模型", "请选择其他模型，或请服务器管理者运行 “stemwire doctor” 检查。"],
  },
  MODEL_UNKNOWN: {
    en: [
      "The server has no model of that name",
      "Load the page again and choose another one.",
    ],
    zh: ["服务器没有这个模型", "请重新加载页面并选择其他模型。"],
  },
  MODEL_NOT_INSTALLED: {
    en: [
      "The model is not installed on this server",
      "Choose another one, or install it there with “stemwire models pull”.",
    ],
    zh: ["服务器没有安装这个模型", "请选择其他模型，或在服务器上用 “stemwire models pull” 安装。"],
  },
  ENGINE_FAILED: {
    en: [
      "The model failed on this song",
      "Try it again with another model. What was done before stays readable.",
    ],
    zh: ["模型处理这首歌时失败", "请换一个模型重试。之前完成的部分仍可读取。"],
  },
  NO_FALLBACK_FOR_STEM: {
    en: [
      "The model failed, and no other has all the stems that you want",
      "Ask for fewer stems, or for another model. What was done before stays readable.",
    ],
    zh: ["模型失败，且没有其他模型能给出所需的全部音轨", "请减少音轨或换一个模型。之前完成的部分仍可读取。"],
  },
  CRASHED_TOO_OFTEN: {
    en: [
      "The server broke down over this song again and again",
      "Convert the file, for example to WAV, or choose another model.",
    ],
    zh: ["服务器多次因这首歌崩溃", "请转换文件（例如转成 WAV），或换一个模型。"],
  },
  INTERNAL: {
    en: [
      "The server has a defect",
      "Try again; if it stays so, report it with what the server’s log says.",
    ],
    zh: ["服务器出现内部错误", "请重试；如果问题依旧，请附上服务器日志报告。"],
  },
  DEADLINE_EXCEEDED: {
    en: [
      "The server took too long",
      "It is tried again by itself.",
    ],
    zh: ["服务器用时过长", "会自动重试。"],
  },

  // Sessions.
  SESSION_NOT_FOUND: {
    en: [
      "This song is no longer on the server",
      "It was deleted, or kept for as long as the server keeps songs. Send it again.",
    ],
    zh: ["服务器上已没有这首歌", "它已被删除或超过了保存期限。请重新上传。"],
  },
  SESSION_VERSION_UNSUPPORTED: {
    en: [
      "A newer server has made this song",
      "This server cannot read it. Start the version that made it, or a later one.",
    ],
    zh: ["这首歌由更新版本的服务器创建", "当前服务器无法读取它。请启动创建它的版本或更新的版本。"],
  },
  SESSION_ENDED: {
    en: [
      "This song has ended and takes nothing more",
      "Add the file as a new song.",
    ],
    zh: ["这首歌已经结束，不再接收数据", "请把文件作为新歌曲添加。"],
  },
  SESSION_CANCELLED: {
    en: [
      "The song was cancelled",
      "What was done before stays here; send it again to have all of it.",
    ],
    zh: ["这首歌已取消", "之前完成的部分仍在这里；如需全部，请重新上传。"],
  },
  SESSION_PAUSED: {
    en: [
      "The song rests",
      "Choose its file again to make it go on.",
    ],
    zh: ["这首歌已暂停", "请重新选择文件以继续。"],
  },
  RESUME_WINDOW_ENDED: {
    en: [
      "The song was not continued in time",
      "Send it again.",
    ],
    zh: ["没有及时继续这首歌", "请重新上传。"],
  },
  SESSION_ID_INVALID: {
    en: [
      "The address names no song",
      "Choose one from the list.",
    ],
    zh: ["地址中没有有效的歌曲", "请从列表中选择。"],
  },
  STEM_UNKNOWN: {
    en: [
      "The song has no such stem",
      "Choose one that it has, or another model.",
    ],
    zh: ["这首歌没有这个音轨", "请选择已有的音轨，或换一个模型。"],
  },
  STEM_NAME_INVALID: {
    en: [
      "This is no name of a stem",
      "Load the page again.",
    ],
    zh: ["音轨名称无效", "请重新加载页面。"],
  },
  FRAME_OUT_OF_RANGE: {
    en: [
      "The song is not as long as that",
      "Choose an earlier position.",
    ],
    zh: ["歌曲没有那么长", "请选择靠前的位置。"],
  },

  // Who may call, and how.
  TOKEN_MISSING: {
    en: [
      "The server asks for a token",
      "Enter the one that you were given.",
    ],
    zh: ["服务器需要令牌", "请输入您得到的令牌。"],
  },
  HOST_FORBIDDEN: {
    en: [
      "The server does not know itself by this name",
      "Call it by its address, or start it with --allow-host.",
    ],
    zh: ["服务器不认识这个主机名", "请用它的地址访问，或启动时加上 --allow-host。"],
  },
  ORIGIN_FORBIDDEN: {
    en: [
      "Pages from here may not call the server",
      "Open the server’s own page, or start it with --allow-origin.",
    ],
    zh: ["此来源的页面不能访问服务器", "请打开服务器自己的页面，或启动时加上 --allow-origin。"],
  },
  TOO_MANY_GUESSES: {
    en: [
      "Too many wrong tokens were sent from here",
      "Wait a moment, then enter the right one.",
    ],
    zh: ["从这里发送了太多错误的令牌", "请稍等，然后输入正确的令牌。"],
  },
  TOO_MANY_CONNECTIONS: {
    en: [
      "The server has as many connections as it takes",
      "It is tried again by itself.",
    ],
    zh: ["服务器的连接数已达上限", "会自动重试。"],
  },
  SERVER_BUSY: {
    en: [
      "The server is busy with other calls",
      "It is tried again by itself.",
    ],
    zh: ["服务器正忙于其他请求", "会自动重试。"],
  },
  REQUEST_TOO_SLOW: {
    en: [
      "The network is too slow",
      "It is tried again by itself.",
    ],
    zh: ["网络太慢", "会自动重试。"],
  },
  READER_TOO_SLOW: {
    en: [
      "The page has read nothing for a while",
      "It goes on by itself.",
    ],
    zh: ["页面有一段时间没有读取数据", "会自动继续。"],
  },
  CONFIG_INVALID: {
    en: [
      "The server does not take these settings",
      "Choose others.",
    ],
    zh: ["服务器不接受这些设置", "请选择其他设置。"],
  },
  CONFIG_MISSING: MISUNDERSTOOD,
  CONFIG_REPEATED: MISUNDERSTOOD,
  CONTENT_TYPE_UNSUPPORTED: MISUNDERSTOOD,
  DEADLINE_INVALID: MISUNDERSTOOD,
  HOST_INVALID: MISUNDERSTOOD,
  MESSAGE_EMPTY: MISUNDERSTOOD,
  MESSAGE_MALFORMED: MISUNDERSTOOD,
  MESSAGE_TOO_LARGE: MISUNDERSTOOD,
  METHOD_UNKNOWN: MISUNDERSTOOD,
  PAGE_TOKEN_INVALID: MISUNDERSTOOD,
};
