/**
 * The text of every reason of the protocol and of the page's own: cause and remedy. `{name}` is a number of the problem,
 * `{name:bytes}` a number of bytes. A test names the reasons of the protocol that are missing.
 */
import type { Language } from "../preferences";

type Words = readonly [cause: string, remedy: string];

const MISUNDERSTOOD: Readonly<Record<Language, Words>> = {
  en: ["The page and the server do not match", "Load the page again: its version may differ from the server’s."],
  zh: ["页面与服务器不一致", "请重新加载页面；它可能与服务器版本不同。"],
};

export const REASONS: Readonly<Record<string, Readonly<Record<Language, Words>>>> = {
  // The page's own.
  CONNECTION_LOST: {
    en: [
      "The server does not respond",
      "Check that the server is running and that you are online. The page continues by itself once it can connect; nothing is lost.",
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
      "This is not the file of the unfinished upload",
      "Choose the original file, or add this one as a new song.",
    ],
    zh: ["这与开始时的文件不同", "请选择这首歌最初的文件，或把它作为新歌曲添加。"],
  },
  NO_SOUND: {
    en: [
      "The browser has no sound output",
      "Check that speakers or headphones are connected and that this page may play sound. Playback begins by itself once there is an output; some browsers must be restarted first.",
    ],
    zh: ["浏览器无法输出声音", "请确认已连接扬声器或耳机、并允许本页播放声音。有输出后会自动开始播放；有些浏览器需要先重新启动。"],
  },

  // The upload.
  UPLOAD_EMPTY: {
    en: [
      "The file is empty",
      "Choose an audio file that is not empty.",
    ],
    zh: ["文件是空的", "请选择有声音的文件。"],
  },
  UPLOAD_HASH_MISMATCH: {
    en: [
      "The file was damaged during the upload",
      "Send it again.",
    ],
    zh: ["文件在传输中损坏", "请重新上传。"],
  },
  UPLOAD_TOO_LARGE: {
    en: [
      "The file is larger than the server’s limit of {limit_bytes:bytes}",
      "Send a shorter or compressed file, such as MP3 or FLAC.",
    ],
    zh: ["文件超过了服务器允许的大小（{limit_bytes:bytes}）", "请上传较短或压缩过的文件，例如 MP3 或 FLAC。"],
  },
  UPLOAD_GAP: {
    en: [
      "A part of the upload is missing",
      "The upload continues by itself. If it does not, choose the file again.",
    ],
    zh: ["上传位置不一致", "上传会从服务器已有的位置继续；否则请重新选择文件。"],
  },
  UPLOAD_CONFLICT: {
    en: [
      "This is not the file of the unfinished upload",
      "Choose the original file, or add this one as a new song.",
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
      "Try again to send the rest.",
    ],
    zh: ["上传还缺少数据", "请重试，会补传其余部分。"],
  },
  UPLOAD_SIZE_MISMATCH: {
    en: [
      "The server has more bytes than this file",
      "Add the file as a new song: it is another file, or it was changed.",
    ],
    zh: ["服务器上的数据比这个文件多", "这是另一个文件，或者文件已被修改。请把它作为新歌曲添加。"],
  },
  UPLOAD_UNFINISHED: {
    en: [
      "The upload broke off",
      "Choose the file again to continue.",
    ],
    zh: ["上传中断了", "请重新选择文件，会从中断处继续。"],
  },
  UPLOAD_IDLE: {
    en: [
      "The upload stalled",
      "Choose the file again to continue.",
    ],
    zh: ["有一段时间没有收到数据", "请重新选择文件，会从中断处继续。"],
  },
  REQUEST_TAKEN_OVER: {
    en: [
      "Another program continues this upload",
      "Watch the song here, or stop the other program.",
    ],
    zh: ["另一个程序接手了这首歌", "可以在这里查看进度，或在那边结束它。"],
  },
  REQUEST_CONFLICT: {
    en: [
      "The song was started with other settings",
      "Add it again as a new song.",
    ],
    zh: ["这首歌是用其他设置开始的", "请把它作为新歌曲重新添加。"],
  },
  CHUNK_TOO_LARGE: {
    en: [
      "The page sends larger chunks than the server accepts",
      "Load the page again: its version may differ from the server’s.",
    ],
    zh: ["页面一次发送的数据超过服务器上限", "请重新加载页面；它可能与服务器版本不同。"],
  },

  // The song.
  FORMAT_UNKNOWN: {
    en: [
      "The audio format is not supported",
      "Choose MP3, WAV, FLAC, M4A, Opus, Ogg Vorbis, AIFF, AAC, MP4, WebM or MKV, or convert the file.",
    ],
    zh: ["无法识别这个音频文件", "请选择 MP3、WAV、FLAC、M4A、Opus、Ogg Vorbis、AIFF、AAC、MP4、WebM 或 MKV，或先转换成其中一种。"],
  },
  CODEC_UNSUPPORTED: {
    en: [
      "The audio codec of this file is not supported",
      "Convert the file to WAV, FLAC or MP3.",
    ],
    zh: ["不支持这个文件的音频编码", "请转换成 WAV、FLAC 或 MP3 后再上传。"],
  },
  SAMPLE_RATE_UNSUPPORTED: {
    en: [
      "The file’s sample rate is not supported",
      "Convert the file to a rate from 8 to 192 kHz.",
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
      "The raw PCM ends within a frame",
      "Check encoding and channels, and send it again.",
    ],
    zh: ["原始采样在一帧中间结束", "请检查编码和声道数，然后重新上传。"],
  },
  NOTHING_DECODED: {
    en: [
      "Nothing in the file could be decoded",
      "Check that the file plays elsewhere, and send it again. It may be damaged.",
    ],
    zh: ["文件中没有任何内容可以解码", "文件可能已损坏。请确认它在别处能播放，再重新上传。"],
  },
  DECODER_CRASHED: {
    en: [
      "The decoder crashed on this file",
      "Convert the file, for example to WAV.",
    ],
    zh: ["这个文件使解码器崩溃", "请转换文件（例如转成 WAV）后再上传。"],
  },
  DECODER_LIMIT: {
    en: [
      "Decoding this file takes too much memory or time",
      "Convert the file, for example to WAV.",
    ],
    zh: ["解码这个文件需要的内存或时间过多", "请转换文件（例如转成 WAV）后再上传。"],
  },
  DECODER_SANDBOX: {
    en: [
      "The server stopped decoding this file for its own safety",
      "Report this to the operator of the server, or send the song in another format.",
    ],
    zh: ["服务器出于安全考虑停止了对这个文件的解码", "请告知服务器管理员，或换一种格式上传这首歌。"],
  },
  TRACK_TOO_LONG: {
    en: [
      "The song is longer than the server’s limit of {limit_seconds} s",
      "Send a shorter part of it.",
    ],
    zh: ["歌曲超过了服务器允许的长度（{limit_seconds} 秒）", "请只上传其中较短的一段。"],
  },
  EXPANSION_TOO_LARGE: {
    en: [
      "The song is more than an hour long and too large for its few bytes",
      "Send a shorter part of it.",
    ],
    zh: ["歌曲超过一小时，且解码后的大小远超上传的数据", "请只上传其中较短的一段。"],
  },

  // The server.
  QUEUE_FULL: {
    en: [
      "The server is busy",
      "Wait: the song is uploaded once the server has a free slot.",
    ],
    zh: ["服务器正忙", "您的歌曲会排队等待，一有空位就会上传。"],
  },
  DISK_FULL: {
    en: [
      "The server’s disk is full",
      "Delete songs that are no longer needed. Finished parts stay readable.",
    ],
    zh: ["服务器磁盘已满", "请删除不再需要的歌曲。已完成的部分仍可读取。"],
  },
  STORAGE_FULL: {
    en: [
      "The songs on the server fill its storage limit",
      "Delete songs that are no longer needed; then your song is uploaded.",
    ],
    zh: ["服务器上的歌曲已占满允许的空间", "请删除不再需要的歌曲，之后会继续上传。"],
  },
  STORE_UNAVAILABLE: {
    en: [
      "The server's object store does not answer",
      "Wait: the song continues by itself once it does. Nothing is lost.",
    ],
    zh: ["服务器的对象存储没有响应", "什么都没有丢失，恢复后会自动继续。"],
  },
  CLUSTER_UNAVAILABLE: {
    en: [
      "The servers do not reach each other",
      "Wait: the song continues by itself once they do. Nothing is lost.",
    ],
    zh: ["服务器之间无法通信", "什么都没有丢失，恢复后会自动继续。"],
  },
  SESSION_ELSEWHERE: {
    en: [
      "Another server has this song",
      "Wait a few seconds: the song continues by itself. Nothing is lost.",
    ],
    zh: ["这首歌在另一台服务器上", "请稍等片刻，会自动继续。什么都没有丢失。"],
  },
  NO_WORKER: {
    en: [
      "No machine computes with this model now",
      "Wait: the song continues by itself once one does. Nothing is lost.",
    ],
    zh: ["目前没有机器运行这个模型", "什么都没有丢失，有机器可用时会自动继续。"],
  },
  SYSTEM_LIMIT: {
    en: [
      "The server has reached a limit of its system",
      "Wait: the song continues by itself once the limit allows it. Nothing is lost.",
    ],
    zh: ["服务器达到了系统限制", "什么都没有丢失，一有资源就会自动继续。"],
  },
  PROCESS_KILLED: {
    en: [
      "The process for this song was killed, probably because the server has too little memory",
      "Wait: the server tries again by itself. If the song has failed, send it again later.",
    ],
    zh: ["处理这首歌曲的进程被终止，可能是服务器内存不足", "请等待，服务器会自动重试；如果歌曲已失败，请稍后重新上传。"],
  },
  STORAGE_FAILED: {
    en: [
      "The server cannot read or write its disk",
      "See the server’s log.",
    ],
    zh: ["服务器无法读写磁盘", "请查看服务器日志。"],
  },
  STORED_DATA_DAMAGED: {
    en: [
      "The server’s disk has damaged this song",
      "Send the song again.",
    ],
    zh: ["服务器磁盘损坏了这首歌曲的数据", "请重新上传歌曲。"],
  },
  RECOMPUTING: {
    en: [
      "A part of this song was damaged on the server’s disk and is being computed again",
      "Read it again once the song is done.",
    ],
    zh: ["歌曲的一部分数据在服务器磁盘上损坏，正在重新计算", "请在歌曲完成后再次读取。"],
  },
  SHUTTING_DOWN: {
    en: [
      "The server is being restarted",
      "Wait a moment: the page continues by itself. Nothing is lost.",
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
      "Load the page again and choose another model.",
    ],
    zh: ["服务器没有这个模型", "请重新加载页面并选择其他模型。"],
  },
  MODEL_NOT_INSTALLED: {
    en: [
      "The model is not installed on this server",
      "Choose another model, or install this one on the server with “stemwire models pull”.",
    ],
    zh: ["服务器没有安装这个模型", "请选择其他模型，或在服务器上用 “stemwire models pull” 安装。"],
  },
  ENGINE_FAILED: {
    en: [
      "The model failed on this song",
      "Try again with another model. Finished parts stay readable.",
    ],
    zh: ["模型处理这首歌时失败", "请换一个模型重试。之前完成的部分仍可读取。"],
  },
  NO_FALLBACK_FOR_STEM: {
    en: [
      "The model failed, and no other model yields all requested stems",
      "Choose fewer stems or another model. Finished parts stay readable.",
    ],
    zh: ["模型失败，且没有其他模型能给出所需的全部音轨", "请减少音轨或换一个模型。之前完成的部分仍可读取。"],
  },
  CRASHED_TOO_OFTEN: {
    en: [
      "The server crashed repeatedly while it computed this song",
      "Wait: it continues by itself within a minute, after other songs.",
    ],
    zh: ["服务器在处理这首歌时多次崩溃", "请等待，一分钟内会在其他歌曲之后自动继续。"],
  },
  INTERNAL: {
    en: [
      "Internal error of the server",
      "Try again. If it happens again, report it with the server’s log.",
    ],
    zh: ["服务器出现内部错误", "请重试；如果问题依旧，请附上服务器日志报告。"],
  },
  DEADLINE_EXCEEDED: {
    en: [
      "The server took too long",
      "Wait: the page tries again by itself.",
    ],
    zh: ["服务器用时过长", "会自动重试。"],
  },

  // Sessions.
  SESSION_NOT_FOUND: {
    en: [
      "This song is no longer on the server",
      "Send it again. It was deleted, or its retention time has passed.",
    ],
    zh: ["服务器上已没有这首歌", "它已被删除或超过了保存期限。请重新上传。"],
  },
  SESSION_VERSION_UNSUPPORTED: {
    en: [
      "A newer version of the server created this song",
      "Start that version, or a later one. This server cannot read the song.",
    ],
    zh: ["这首歌由更新版本的服务器创建", "当前服务器无法读取它。请启动创建它的版本或更新的版本。"],
  },
  SESSION_ENDED: {
    en: [
      "This song has already ended",
      "Add the file as a new song.",
    ],
    zh: ["这首歌已经结束，不再接收数据", "请把文件作为新歌曲添加。"],
  },
  SESSION_CANCELLED: {
    en: [
      "The song was cancelled",
      "Send it again to separate all of it. Finished parts stay readable.",
    ],
    zh: ["这首歌已取消", "之前完成的部分仍在这里；如需全部，请重新上传。"],
  },
  SESSION_PAUSED: {
    en: [
      "The song is paused",
      "Choose its file again to continue.",
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
      "The address does not contain a valid song id",
      "Choose one from the list.",
    ],
    zh: ["地址中没有有效的歌曲编号", "请从列表中选择。"],
  },
  STEM_UNKNOWN: {
    en: [
      "The song has no such stem",
      "Choose one of its stems, or another model.",
    ],
    zh: ["这首歌没有这个音轨", "请选择已有的音轨，或换一个模型。"],
  },
  STEM_NAME_INVALID: {
    en: [
      "This is not a valid stem name",
      "Load the page again.",
    ],
    zh: ["音轨名称无效", "请重新加载页面。"],
  },
  FRAME_OUT_OF_RANGE: {
    en: [
      "The position is after the end of the song",
      "Choose an earlier position.",
    ],
    zh: ["位置超出了歌曲的末尾", "请选择靠前的位置。"],
  },

  // Access and requests.
  TOKEN_MISSING: {
    en: [
      "The server requires a token",
      "Enter your token.",
    ],
    zh: ["服务器需要令牌", "请输入您得到的令牌。"],
  },
  HOST_FORBIDDEN: {
    en: [
      "The server does not accept this host name",
      "Open the page by the server’s IP address, or start the server with --allow-host.",
    ],
    zh: ["服务器不接受这个主机名", "请用服务器的 IP 地址访问，或启动时加上 --allow-host。"],
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
      "Wait: the page continues by itself.",
    ],
    zh: ["页面有一段时间没有读取数据", "会自动继续。"],
  },
  CONFIG_INVALID: {
    en: [
      "The server does not accept these settings",
      "Choose other settings.",
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
